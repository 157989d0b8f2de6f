-- One row a user, device and day. The contract of the same name says what each column means.

CREATE SCHEMA IF NOT EXISTS logins;

CREATE TABLE logins.daily_logins (
    day           date NOT NULL,
    user_id       bigint NOT NULL,
    device        text NOT NULL,
    user_type     text NOT NULL,
    num_logins    bigint NOT NULL,
    low           bigint NOT NULL,
    high          bigint,
    status        text NOT NULL,
    reason        text,
    correction    bigint NOT NULL,
    num_later     bigint NOT NULL,
    from_snapshot date,
    to_snapshot   date NOT NULL,
    PRIMARY KEY (day, user_id, device)
);
