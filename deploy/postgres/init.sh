#!/bin/sh
# Runs once, when the server's data folder is new: two databases, each of a role of its own that cannot connect to the
# other's, and a role that may read the warehouse. Passwords come from the files that *_PASSWORD_FILE name.
set -eu
WAREHOUSE_PASSWORD=$(cat "$WAREHOUSE_PASSWORD_FILE")
DAGSTER_PASSWORD=$(cat "$DAGSTER_PASSWORD_FILE")
ANALYST_PASSWORD=$(cat "$ANALYST_PASSWORD_FILE")
export WAREHOUSE_PASSWORD DAGSTER_PASSWORD ANALYST_PASSWORD
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv warehouse_password WAREHOUSE_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD
\getenv analyst_password ANALYST_PASSWORD
-- A statement that fails is logged whole, and these hold passwords.
SET log_min_error_statement = panic;
CREATE ROLE warehouse LOGIN PASSWORD :'warehouse_password';
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';
CREATE ROLE analyst LOGIN PASSWORD :'analyst_password';
ALTER ROLE analyst SET default_transaction_read_only = on;
ALTER ROLE analyst SET statement_timeout = '10min';

CREATE DATABASE warehouse OWNER warehouse;
CREATE DATABASE dagster OWNER dagster;
REVOKE ALL ON DATABASE warehouse, dagster, postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO analyst;

\connect dagster
ALTER SCHEMA public OWNER TO dagster;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

\connect warehouse
ALTER SCHEMA public OWNER TO warehouse;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- Schemas and tables come with the migrations, by the role `warehouse`; the analyst may read them from the start.
ALTER DEFAULT PRIVILEGES FOR ROLE warehouse GRANT USAGE ON SCHEMAS TO analyst;
ALTER DEFAULT PRIVILEGES FOR ROLE warehouse GRANT SELECT ON TABLES TO analyst;
SQL
