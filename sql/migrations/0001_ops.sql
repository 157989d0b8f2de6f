-- The platform's own books: evidence, publications, tallies, rejects. Contracts of the same names say what each column means.

-- The schema `ops` is there already: what was migrated is kept in it.

-- Whether a day is among `2023-07-07,2023-07-08,...`; an empty text means every day, and a table published whole.
CREATE FUNCTION ops.is_among(day date, days text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN days = '' OR day = ANY (string_to_array(days, ',')::date[]);

CREATE TABLE ops.evidence (
    evidence_id text PRIMARY KEY,
    kind        text NOT NULL,
    place       text NOT NULL,
    num_bytes   bigint NOT NULL,
    kept_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Every object ever seen in the landing prefix. The same content may arrive often, under one name or many.
CREATE TABLE ops.arrivals (
    landing_key     text NOT NULL,
    landing_version text NOT NULL,
    evidence_id     text NOT NULL REFERENCES ops.evidence,
    arrived_at      timestamptz NOT NULL,
    arrived_on      date NOT NULL,
    named_day       date,
    seen_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (landing_key, landing_version)
);
CREATE INDEX ON ops.arrivals (evidence_id);

-- Which content counts as delivered on which day, whatever the order of arrival: the days that its names give;
-- where no name gives any, the day it first arrived. Of an object that was written over, only the last content counts.
CREATE VIEW ops.deliveries AS
WITH standing AS (
    SELECT DISTINCT ON (landing_key) * FROM ops.arrivals ORDER BY landing_key, seen_at DESC, landing_version
), dated AS (
    SELECT kind, evidence_id, landing_key, coalesce(named_day, min(arrived_on) OVER same_content) AS day,
           named_day IS NULL AND bool_or(named_day IS NOT NULL) OVER same_content AS is_only_a_copy
    FROM (SELECT *, split_part(landing_key, '/', 1) AS kind FROM standing) AS kinds
    WINDOW same_content AS (PARTITION BY kind, evidence_id)
)
SELECT d.kind, d.evidence_id, d.day, min(d.landing_key) AS landing_key, e.num_bytes
FROM dated d
JOIN ops.evidence e USING (evidence_id)
WHERE NOT d.is_only_a_copy
GROUP BY d.kind, d.evidence_id, d.day, e.num_bytes;

CREATE TABLE ops.publications (
    publication_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name     text NOT NULL,
    day            date,
    num_rows       bigint NOT NULL,
    num_rejected   bigint NOT NULL,
    content_hash   text NOT NULL,
    account_hash   text NOT NULL,
    object_key     text,
    num_bytes      bigint,
    code_version   text NOT NULL,
    run_id         text NOT NULL,
    published_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at   timestamptz NOT NULL
);
CREATE INDEX ON ops.publications (table_name, day, publication_id DESC);

-- The version of each table's day that readers see.
CREATE VIEW ops.current_publications AS
SELECT DISTINCT ON (table_name, day) *
FROM ops.publications
ORDER BY table_name, day, publication_id DESC;

-- What became of each evidence in the current version of a table's day; the constraint is the platform's promise.
CREATE TABLE ops.tallies (
    publication_id bigint NOT NULL REFERENCES ops.publications,
    table_name     text NOT NULL,
    day            date,
    evidence_id    text NOT NULL,
    num_in         bigint NOT NULL,
    num_used       bigint NOT NULL,
    num_rejected   bigint NOT NULL,
    num_duplicate  bigint NOT NULL,
    CONSTRAINT nothing_is_lost CHECK (num_in = num_used + num_rejected + num_duplicate)
);
CREATE INDEX ON ops.tallies (table_name, day);

-- The rejects of the current version of a table's day. Older versions can be derived again from the evidence.
CREATE TABLE ops.rejects (
    publication_id bigint NOT NULL REFERENCES ops.publications,
    table_name     text NOT NULL,
    day            date,
    evidence_id    text NOT NULL,
    record_no      bigint,
    line           bigint,
    byte_from      bigint NOT NULL,
    byte_to        bigint NOT NULL,
    num_records    bigint NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    rule_version   text NOT NULL
);
CREATE INDEX ON ops.rejects (table_name, day);
CREATE INDEX ON ops.rejects (evidence_id);
