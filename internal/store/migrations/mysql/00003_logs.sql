-- +goose NO TRANSACTION
-- +goose Up

-- Log records, what is missing of them, and how far they are read. The tables of before were never written to.
--
-- id is given by log_sequence, whose row whoever writes locks until his transaction ends: so ids are in the order in which
-- transactions end, and who has read up to one has missed nothing. It is the order of the table, to which records are appended.

DROP TABLE IF EXISTS logs;
DROP TABLE IF EXISTS cursors;

CREATE TABLE IF NOT EXISTS log_sequence (
    id   BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO log_sequence (id, last) VALUES (1, 1);

CREATE TABLE logs (
    id         BIGINT NOT NULL PRIMARY KEY,
    host       VARCHAR(255) NOT NULL,
    channel    VARCHAR(255) NOT NULL,
    epoch      BIGINT NOT NULL,
    record_id  BIGINT NOT NULL,
    time       DATETIME(6) NOT NULL,
    sweep_time BIGINT NOT NULL,
    level      VARCHAR(32) NOT NULL,
    event_id   BIGINT NOT NULL,
    source     VARCHAR(255) NOT NULL,
    computer   VARCHAR(255) NOT NULL,
    user_name  VARCHAR(255) NOT NULL,
    process    BIGINT NOT NULL,
    keywords   VARCHAR(255) NOT NULL,
    logon      VARCHAR(32) NOT NULL,
    account    VARCHAR(255) NOT NULL,
    address    VARCHAR(255) NOT NULL,
    altered    BOOLEAN NOT NULL,
    message    MEDIUMTEXT NOT NULL,
    data       MEDIUMTEXT NOT NULL,
    raw        MEDIUMTEXT NOT NULL,
    UNIQUE INDEX logs_record (host, channel, epoch, record_id),
    INDEX logs_time (time),
    INDEX logs_host (host, time),
    INDEX logs_event (event_id, time),
    INDEX logs_logon (logon, time)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS log_gaps (
    id         BIGINT NOT NULL PRIMARY KEY,
    host       VARCHAR(255) NOT NULL,
    channel    VARCHAR(255) NOT NULL,
    epoch      BIGINT NOT NULL,
    first_id   BIGINT NOT NULL,
    last_id    BIGINT,
    possible   BOOLEAN NOT NULL,
    reason     TEXT NOT NULL,
    found      DATETIME(6) NOT NULL,
    sweep_time BIGINT NOT NULL,
    UNIQUE INDEX log_gaps_gap (host, channel, epoch, first_id),
    INDEX log_gaps_found (found)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE cursors (
    host      VARCHAR(255) NOT NULL,
    channel   VARCHAR(255) NOT NULL,
    epoch     BIGINT NOT NULL,
    record_id BIGINT NOT NULL,
    position  TEXT NOT NULL,
    updated   DATETIME(6) NOT NULL,
    PRIMARY KEY (host, channel)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW log_records AS
SELECT time, host, channel, level, event_id, source, computer, user_name, process, keywords, logon, account, address, message,
       data, altered, sweep_time, epoch, record_id
FROM logs;
