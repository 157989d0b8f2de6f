"""Postgres: connect, copy in and out, migrate. What does not belong here: any product, and what is published when."""
