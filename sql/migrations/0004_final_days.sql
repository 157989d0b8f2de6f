-- Days that nobody publishes again, because what they were made of was deleted when it had been kept long enough.

CREATE TABLE ops.final_days (
    table_name text NOT NULL,
    day        date NOT NULL,
    is_gone    boolean NOT NULL,
    final_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_name, day)
);

-- The version of each table's day that readers see; none of a day whose rows are gone.
CREATE OR REPLACE VIEW ops.current_publications AS
SELECT DISTINCT ON (p.table_name, p.day) p.*
FROM ops.publications p
WHERE NOT EXISTS (SELECT FROM ops.final_days f WHERE f.table_name = p.table_name AND f.day = p.day AND f.is_gone)
ORDER BY p.table_name, p.day, p.publication_id DESC;
