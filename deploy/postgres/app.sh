#!/bin/sh
# The stand-in of the app's database: the role by which the platform reads whatever tables the app makes there.
# With a database of your own, its administrator runs the last five statements there.
set -eu
READER_PASSWORD=$(cat "$READER_PASSWORD_FILE")
export READER_PASSWORD
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv reader_password READER_PASSWORD
-- A statement that fails is logged whole, and this one holds a password.
SET log_min_error_statement = panic;
CREATE ROLE reader LOGIN PASSWORD :'reader_password';
ALTER ROLE reader SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
SQL
