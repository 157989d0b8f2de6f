"""The embedded stack for a laptop or a test: servers and folders that stand in for the real ones."""
