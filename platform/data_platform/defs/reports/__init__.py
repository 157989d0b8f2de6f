"""Reports: an asset for each type, its checks, and the sensor that asks for those that are due."""
