"""The logins product as Dagster sees it."""
