-- +goose Up

-- Log records, what is missing of them, and how far they are read. The tables of before were never written to.
--
-- id is given by log_sequence, whose row whoever writes locks until his transaction ends: so ids are in the order in which
-- transactions end, and who has read up to one has missed nothing.

DROP VIEW log_records;
DROP TABLE logs;
DROP TABLE cursors;

CREATE TABLE log_sequence (
    id   bigint PRIMARY KEY,
    last bigint NOT NULL
);
INSERT INTO log_sequence (id, last) VALUES (1, 1);

-- json, not jsonb, keeps a record's data in their order. Numbers come first, which saves padding.
CREATE TABLE logs (
    id         bigint PRIMARY KEY,
    epoch      bigint NOT NULL,
    record_id  bigint NOT NULL,
    time       timestamptz NOT NULL,
    sweep_time bigint NOT NULL,
    event_id   bigint NOT NULL,
    process    bigint NOT NULL,
    altered    boolean NOT NULL,
    host       text COLLATE "C" NOT NULL,
    channel    text COLLATE "C" NOT NULL,
    level      text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    computer   text COLLATE "C" NOT NULL,
    user_name  text COLLATE "C" NOT NULL,
    keywords   text COLLATE "C" NOT NULL,
    logon      text COLLATE "C" NOT NULL,
    account    text COLLATE "C" NOT NULL,
    address    text COLLATE "C" NOT NULL,
    message    text NOT NULL,
    data       json NOT NULL,
    raw        text NOT NULL
);
CREATE UNIQUE INDEX logs_record ON logs (host, channel, epoch, record_id);
CREATE INDEX logs_time ON logs (time);
CREATE INDEX logs_host ON logs (host, time);
CREATE INDEX logs_event ON logs (event_id, time) WHERE event_id <> 0;
CREATE INDEX logs_logon ON logs (logon, time) WHERE logon <> '';

CREATE TABLE log_gaps (
    id         bigint PRIMARY KEY,
    epoch      bigint NOT NULL,
    first_id   bigint NOT NULL,
    last_id    bigint,
    found      timestamptz NOT NULL,
    sweep_time bigint NOT NULL,
    possible   boolean NOT NULL,
    host       text COLLATE "C" NOT NULL,
    channel    text COLLATE "C" NOT NULL,
    reason     text NOT NULL
);
CREATE UNIQUE INDEX log_gaps_gap ON log_gaps (host, channel, epoch, first_id);
CREATE INDEX log_gaps_found ON log_gaps (found);

CREATE TABLE cursors (
    host      text COLLATE "C" NOT NULL,
    channel   text COLLATE "C" NOT NULL,
    epoch     bigint NOT NULL,
    record_id bigint NOT NULL,
    position  text NOT NULL,
    updated   timestamptz NOT NULL,
    PRIMARY KEY (host, channel)
);

CREATE VIEW log_records AS
SELECT time, host, channel, level, event_id, source, computer, user_name, process, keywords, logon, account, address, message,
       data, altered, sweep_time, epoch, record_id
FROM logs;
