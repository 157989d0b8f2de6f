-- Delivered reports. The contracts of the same names say what each column means.

CREATE SCHEMA IF NOT EXISTS reports;

CREATE TABLE reports.reports_generated (
    report_id       uuid PRIMARY KEY,
    report_type     text NOT NULL,
    report_date     date NOT NULL,
    version         bigint NOT NULL,
    file_format     text NOT NULL,
    s3_bucket       text,
    s3_object_key   text NOT NULL,
    download_link   text NOT NULL,
    num_rows        bigint NOT NULL,
    num_bytes       bigint NOT NULL,
    sha256          text NOT NULL,
    manifest_key    text NOT NULL,
    manifest_sha256 text NOT NULL,
    supersedes      uuid REFERENCES reports.reports_generated,
    skew_seconds    double precision NOT NULL,
    code_version    text NOT NULL,
    run_id          text NOT NULL,
    delivered_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (report_type, report_date, version, file_format)
);

-- A delivery that was begun: what the next run of that report and day finishes, after a crash.
CREATE TABLE reports.attempts (
    report_type text NOT NULL,
    report_date date NOT NULL,
    manifest    text NOT NULL,
    run_id      text NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (report_type, report_date)
);

-- Mails about reports: the row is there before the mail is handed over, so that none is sent twice.
CREATE TABLE reports.mailings (
    report_type text NOT NULL,
    report_date date NOT NULL,
    version     bigint NOT NULL,
    recipient   text NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at     timestamptz,
    failure     text,
    PRIMARY KEY (report_type, report_date, version, recipient)
);
