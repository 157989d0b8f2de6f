-- Messages out of queues: the batches they were received in, and what became of each. Contracts of the same names say
-- what each column means.

CREATE SCHEMA IF NOT EXISTS logins;

-- A batch is noted before its evidence is kept, and settled in the transaction that decides about its messages.
CREATE TABLE ops.message_batches (
    batch_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    evidence_id     text NOT NULL UNIQUE,
    queue           text NOT NULL,
    run_id          text NOT NULL,
    num_messages    bigint NOT NULL,
    num_stored      bigint NOT NULL DEFAULT 0,
    num_duplicate   bigint NOT NULL DEFAULT 0,
    num_conflicting bigint NOT NULL DEFAULT 0,
    num_rejected    bigint NOT NULL DEFAULT 0,
    received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at      timestamptz,
    CONSTRAINT nothing_is_lost CHECK (
        num_messages = num_stored + num_duplicate + num_conflicting + num_rejected
        OR settled_at IS NULL AND num_stored + num_duplicate + num_conflicting + num_rejected = 0
    )
);
CREATE INDEX ON ops.message_batches (batch_id) WHERE settled_at IS NULL;

CREATE TABLE ops.message_ledger (
    batch_id    bigint NOT NULL,
    position    bigint NOT NULL,
    message_id  text NOT NULL,
    fingerprint uuid NOT NULL,
    sent_at     timestamptz,
    table_name  text NOT NULL,
    day         date NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('stored', 'duplicate', 'conflicting', 'rejected')),
    PRIMARY KEY (batch_id, position)
);
-- Ids are random: eight bytes of each keep the index small, so that it stays in memory over many million messages.
CREATE INDEX message_ids ON ops.message_ledger (hashtextextended(message_id, 0));
-- Contents are looked up by the time that they were sent first, so that new ones come to lie beside one another.
CREATE INDEX message_contents ON ops.message_ledger (sent_at, fingerprint);
CREATE INDEX message_days ON ops.message_ledger (day, table_name);

-- received = stored + duplicate + conflicting + rejected + in flight, for each queue.
CREATE VIEW ops.message_account AS
SELECT queue, sum(num_messages)::bigint AS num_received, sum(num_stored)::bigint AS num_stored,
       sum(num_duplicate)::bigint AS num_duplicate, sum(num_conflicting)::bigint AS num_conflicting,
       sum(num_rejected)::bigint AS num_rejected,
       coalesce(sum(num_messages) FILTER (WHERE settled_at IS NULL), 0)::bigint AS num_in_flight
FROM ops.message_batches
GROUP BY queue;

-- Days that rows are appended to between two publications, with how many records came in for each so far.
CREATE TABLE ops.appended_days (
    table_name  text NOT NULL,
    day         date NOT NULL,
    num_records bigint NOT NULL,
    PRIMARY KEY (table_name, day)
);

-- A reject that came with appended rows has no publication until its day is published.
ALTER TABLE ops.rejects ALTER COLUMN publication_id DROP NOT NULL;

CREATE TABLE logins.user_logins (
    create_date       date NOT NULL,
    user_id           text NOT NULL,
    device_type       text NOT NULL,
    masked_ip         text NOT NULL,
    masked_device_id  text NOT NULL,
    locale            text,
    app_version       text NOT NULL,
    app_major         bigint,
    app_minor         bigint,
    app_patch         bigint,
    logged_in_at      timestamptz NOT NULL,
    evidence_id       text NOT NULL,
    position          bigint NOT NULL,
    transform_version text NOT NULL,
    PRIMARY KEY (create_date, evidence_id, position)
);

CREATE TABLE logins.user_logouts (
    create_date       date NOT NULL,
    user_id           text NOT NULL,
    masked_device_id  text NOT NULL,
    cause             text,
    logged_out_at     timestamptz NOT NULL,
    evidence_id       text NOT NULL,
    position          bigint NOT NULL,
    transform_version text NOT NULL,
    PRIMARY KEY (create_date, evidence_id, position)
);

-- Every look at what a token or a seal hides: a row is added before anything is shown, and no row is ever changed.
CREATE TABLE ops.reveals (
    reveal_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revealed_by text NOT NULL,
    reason      text NOT NULL CHECK (length(reason) >= 10),
    subject     text NOT NULL,
    num_found   bigint NOT NULL
);
CREATE FUNCTION ops.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is only ever added to', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER added_to_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.reveals
FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
