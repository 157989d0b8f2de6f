"""What Dagster sees: thin assets, checks, sensors and the resources they share. The only code that imports Dagster."""
