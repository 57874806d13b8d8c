-- +goose NO TRANSACTION
-- +goose Up

-- Times are UTC. The sweep's time is the key that ties everything together: milliseconds since 1970-01-01, so that
-- statistics stay narrow. Texts compare byte by byte (utf8mb4_bin), whatever the server's default.
--
-- This engine commits each statement that defines a table, so a migration can be interrupted between two of them: each
-- can be run again.

CREATE TABLE IF NOT EXISTS hosts (
    name            VARCHAR(255) NOT NULL PRIMARY KEY,
    group_path      VARCHAR(1024) NOT NULL,
    address         VARCHAR(512) NOT NULL,
    os              VARCHAR(64) NOT NULL,
    arch            VARCHAR(64) NOT NULL,
    hostname        VARCHAR(255) NOT NULL,
    client          VARCHAR(128) NOT NULL,
    visited         DATETIME(6) NOT NULL,
    visit_sweep     BIGINT NOT NULL,
    visit_id        VARCHAR(128) NOT NULL,
    succeeded       DATETIME(6),
    succeeded_sweep BIGINT
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS series (
    id       BIGINT NOT NULL PRIMARY KEY,
    host     VARCHAR(255) NOT NULL,
    name     VARCHAR(128) NOT NULL,
    instance VARCHAR(256) NOT NULL,
    unit     VARCHAR(32) NOT NULL,
    kind     VARCHAR(32) NOT NULL,
    INDEX series_host (host, name, instance),
    INDEX series_name (name, instance)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sweeps (
    sweep_time BIGINT NOT NULL PRIMARY KEY,
    time       DATETIME(6) GENERATED ALWAYS AS
               (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL sweep_time * 1000 MICROSECOND) STORED,
    started    DATETIME(6),
    ended      DATETIME(6),
    hosts      INT NOT NULL DEFAULT 0,
    visited    INT NOT NULL DEFAULT 0,
    failed     INT NOT NULL DEFAULT 0,
    INDEX sweeps_by_time (time)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visits (
    sweep_time      BIGINT NOT NULL,
    host            VARCHAR(255) NOT NULL,
    visit_id        VARCHAR(128) NOT NULL,
    started         DATETIME(6) NOT NULL,
    seconds         DOUBLE NOT NULL,
    outcome         VARCHAR(32) NOT NULL,
    stage           VARCHAR(64) NOT NULL,
    kind            VARCHAR(64) NOT NULL,
    error           TEXT NOT NULL,
    advice          TEXT NOT NULL,
    address         VARCHAR(512) NOT NULL,
    sent            BIGINT NOT NULL,
    received        BIGINT NOT NULL,
    uploaded        BOOLEAN NOT NULL,
    stages          JSON NOT NULL,
    source_failures JSON NOT NULL,
    log             MEDIUMTEXT NOT NULL,
    PRIMARY KEY (sweep_time, host, visit_id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS statistics (
    sweep_time BIGINT NOT NULL,
    series_id  BIGINT NOT NULL,
    value      DOUBLE NOT NULL,
    PRIMARY KEY (sweep_time, series_id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS alerts (
    id         VARCHAR(255) NOT NULL PRIMARY KEY,
    host       VARCHAR(255) NOT NULL,
    statistic  VARCHAR(128) NOT NULL,
    instance   VARCHAR(256) NOT NULL,
    direction  VARCHAR(32) NOT NULL,
    unit       VARCHAR(32) NOT NULL,
    limit_text VARCHAR(255) NOT NULL,
    state      VARCHAR(32) NOT NULL,
    since      DATETIME(6) NOT NULL,
    raised     DATETIME(6),
    ended      DATETIME(6),
    value      DOUBLE NOT NULL,
    message    TEXT NOT NULL,
    updated    DATETIME(6) NOT NULL,
    notified   VARCHAR(32) NOT NULL,
    INDEX alerts_state (state, host)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS logs (
    id        BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    host      VARCHAR(255) NOT NULL,
    channel   VARCHAR(255) NOT NULL,
    epoch     BIGINT NOT NULL,
    record_id BIGINT NOT NULL,
    time      DATETIME(6) NOT NULL,
    level     VARCHAR(32) NOT NULL,
    event_id  BIGINT NOT NULL,
    source    VARCHAR(255) NOT NULL,
    computer  VARCHAR(255) NOT NULL,
    user_name VARCHAR(255) NOT NULL,
    message   MEDIUMTEXT NOT NULL,
    data      MEDIUMTEXT NOT NULL,
    raw       MEDIUMTEXT NOT NULL,
    UNIQUE INDEX logs_record (host, channel, epoch, record_id),
    INDEX logs_time (time)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cursors (
    host      VARCHAR(255) NOT NULL,
    channel   VARCHAR(255) NOT NULL,
    epoch     BIGINT NOT NULL,
    record_id BIGINT NOT NULL,
    position  TEXT NOT NULL,
    updated   DATETIME(6) NOT NULL,
    PRIMARY KEY (host, channel)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW samples AS
SELECT s.host, s.name, s.instance, s.unit, s.kind, w.time, st.value, st.sweep_time
FROM series s
CROSS JOIN sweeps w
JOIN statistics st ON st.sweep_time = w.sweep_time AND st.series_id = s.id;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       TIMESTAMP'1970-01-01 00:00:00' + INTERVAL h.succeeded_sweep * 1000 MICROSECOND AS time, st.value
FROM hosts h
JOIN series s ON s.host = h.name
JOIN statistics st ON st.sweep_time = h.succeeded_sweep AND st.series_id = s.id;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW log_records AS
SELECT time, host, channel, level, event_id, source, computer, user_name, message, data, epoch, record_id
FROM logs;
