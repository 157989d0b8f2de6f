"""The leads product, as Dagster sees it."""
