"""What is done to the assets of every product, as Dagster sees it."""
