-- Mobile sessions. Contracts of the same names say what each column means.

CREATE SCHEMA IF NOT EXISTS sessions;

CREATE TABLE sessions.delivered_events (
    day         date NOT NULL,
    evidence_id text NOT NULL,
    event_day   date NOT NULL,
    num_events  bigint NOT NULL,
    PRIMARY KEY (day, evidence_id, event_day)
);
CREATE INDEX ON sessions.delivered_events (event_day);

CREATE TABLE sessions.sessions (
    session_id              text PRIMARY KEY,
    day                     date NOT NULL,
    business_day            date NOT NULL,
    anonymous_id            text NOT NULL,
    device_id               text NOT NULL,
    started_at              timestamptz NOT NULL,
    ended_at                timestamptz NOT NULL,
    ended_on                date NOT NULL,
    num_events              bigint NOT NULL,
    opened_at               timestamptz,
    looked_at               timestamptz,
    found_at                timestamptz,
    booked_at               timestamptz,
    ride_started_at         timestamptz,
    start_failed_at         timestamptz,
    ride_done_at            timestamptz,
    rated_at                timestamptz,
    out_of_zone_at          timestamptz,
    furthest_step           text,
    verdict                 text NOT NULL,
    reason                  text NOT NULL,
    decided_at              timestamptz NOT NULL,
    decided_by              text,
    plain_booked            boolean NOT NULL,
    num_rides               bigint NOT NULL,
    ms_to_ride              bigint,
    ms_riding               bigint,
    continues_ride_at       timestamptz,
    num_rides_before_on_day bigint NOT NULL,
    zone                    text,
    app_version             text,
    os_name                 text,
    num_other_events        bigint NOT NULL,
    is_open                 boolean NOT NULL,
    rules_version           text NOT NULL
);
CREATE INDEX ON sessions.sessions (day);
CREATE INDEX ON sessions.sessions (anonymous_id, started_at);
-- Few sessions go on over midnight, and whoever looks for them need not read the others.
CREATE INDEX ON sessions.sessions (day, ended_on) WHERE ended_on > day;

-- A day is published by deleting its rows and inserting the new ones. What is not among the new ones is remembered here,
-- in the same transaction, so that no id that anybody has seen is ever without an answer.
CREATE TABLE ops.former_sessions (
    session_id   text PRIMARY KEY,
    anonymous_id text NOT NULL,
    device_id    text NOT NULL,
    started_at   timestamptz NOT NULL
);

CREATE FUNCTION sessions.remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.former_sessions
    SELECT session_id, anonymous_id, device_id, started_at FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION sessions.forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ops.former_sessions f USING come WHERE f.session_id = come.session_id;
    RETURN NULL;
END $$;

CREATE TRIGGER remember AFTER DELETE ON sessions.sessions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sessions.remember();
CREATE TRIGGER forget AFTER INSERT ON sessions.sessions
    REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION sessions.forget();
