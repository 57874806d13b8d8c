-- +goose Up

-- Log records, what is missing of them, and how far they are read. The tables of before were never written to.
--
-- id is given by log_sequence, whose row whoever writes locks until his transaction ends: so ids are in the order in which
-- transactions end, and who has read up to one has missed nothing. It is the order of the table, to which records are appended.

DROP VIEW log_records;
DROP TABLE logs;
DROP TABLE cursors;

CREATE TABLE log_sequence (
    id   INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);
INSERT INTO log_sequence (id, last) VALUES (1, 1);

CREATE TABLE logs (
    id         INTEGER PRIMARY KEY,
    host       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    record_id  INTEGER NOT NULL,
    time       TIMESTAMP NOT NULL,
    sweep_time INTEGER NOT NULL,
    level      TEXT NOT NULL,
    event_id   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    computer   TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    process    INTEGER NOT NULL,
    keywords   TEXT NOT NULL,
    logon      TEXT NOT NULL,
    account    TEXT NOT NULL,
    address    TEXT NOT NULL,
    altered    BOOLEAN NOT NULL,
    message    TEXT NOT NULL,
    data       TEXT NOT NULL,
    raw        TEXT NOT NULL
);
CREATE UNIQUE INDEX logs_record ON logs (host, channel, epoch, record_id);
CREATE INDEX logs_time ON logs (time);
CREATE INDEX logs_host ON logs (host, time);
CREATE INDEX logs_event ON logs (event_id, time);
CREATE INDEX logs_logon ON logs (logon, time);

CREATE TABLE log_gaps (
    id         INTEGER PRIMARY KEY,
    host       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    first_id   INTEGER NOT NULL,
    last_id    INTEGER,
    possible   BOOLEAN NOT NULL,
    reason     TEXT NOT NULL,
    found      TIMESTAMP NOT NULL,
    sweep_time INTEGER NOT NULL
);
CREATE UNIQUE INDEX log_gaps_gap ON log_gaps (host, channel, epoch, first_id);
CREATE INDEX log_gaps_found ON log_gaps (found);

CREATE TABLE cursors (
    host      TEXT NOT NULL,
    channel   TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    position  TEXT NOT NULL,
    updated   TIMESTAMP NOT NULL,
    PRIMARY KEY (host, channel)
) WITHOUT ROWID;

CREATE VIEW log_records AS
SELECT time, host, channel, level, event_id, source, computer, user_name, process, keywords, logon, account, address, message,
       data, altered, sweep_time, epoch, record_id
FROM logs;
