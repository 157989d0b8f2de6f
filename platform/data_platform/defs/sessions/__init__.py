"""The sessions product as Dagster sees it."""
