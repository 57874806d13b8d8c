-- +goose Up

-- Times are UTC. The sweep's time is the key that ties everything together: milliseconds since 1970-01-01, so that
-- statistics stay narrow. WITHOUT ROWID clusters a table on its primary key.

CREATE TABLE hosts (
    name            TEXT NOT NULL PRIMARY KEY,
    group_path      TEXT NOT NULL,
    address         TEXT NOT NULL,
    os              TEXT NOT NULL,
    arch            TEXT NOT NULL,
    hostname        TEXT NOT NULL,
    client          TEXT NOT NULL,
    visited         TIMESTAMP NOT NULL,
    visit_sweep     INTEGER NOT NULL,
    visit_id        TEXT NOT NULL,
    succeeded       TIMESTAMP,
    succeeded_sweep INTEGER
) WITHOUT ROWID;

CREATE TABLE series (
    id       INTEGER PRIMARY KEY,
    host     TEXT NOT NULL,
    name     TEXT NOT NULL,
    instance TEXT NOT NULL,
    unit     TEXT NOT NULL,
    kind     TEXT NOT NULL
);
CREATE INDEX series_host ON series (host, name, instance);
CREATE INDEX series_name ON series (name, instance);

CREATE TABLE sweeps (
    sweep_time INTEGER PRIMARY KEY,
    time       TIMESTAMP GENERATED ALWAYS AS (strftime('%Y-%m-%d %H:%M:%f', sweep_time / 1000.0, 'unixepoch')) STORED,
    started    TIMESTAMP,
    ended      TIMESTAMP,
    hosts      INTEGER NOT NULL DEFAULT 0,
    visited    INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sweeps_by_time ON sweeps (time);

CREATE TABLE visits (
    sweep_time      INTEGER NOT NULL,
    host            TEXT NOT NULL,
    visit_id        TEXT NOT NULL,
    started         TIMESTAMP NOT NULL,
    seconds         REAL NOT NULL,
    outcome         TEXT NOT NULL,
    stage           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    error           TEXT NOT NULL,
    advice          TEXT NOT NULL,
    address         TEXT NOT NULL,
    sent            INTEGER NOT NULL,
    received        INTEGER NOT NULL,
    uploaded        BOOLEAN NOT NULL,
    stages          TEXT NOT NULL,
    source_failures TEXT NOT NULL,
    log             TEXT NOT NULL,
    PRIMARY KEY (sweep_time, host, visit_id)
) WITHOUT ROWID;

CREATE TABLE statistics (
    sweep_time INTEGER NOT NULL,
    series_id  INTEGER NOT NULL,
    value      REAL NOT NULL,
    PRIMARY KEY (sweep_time, series_id)
) WITHOUT ROWID;

CREATE TABLE alerts (
    id         TEXT NOT NULL PRIMARY KEY,
    host       TEXT NOT NULL,
    statistic  TEXT NOT NULL,
    instance   TEXT NOT NULL,
    direction  TEXT NOT NULL,
    unit       TEXT NOT NULL,
    limit_text TEXT NOT NULL,
    state      TEXT NOT NULL,
    since      TIMESTAMP NOT NULL,
    raised     TIMESTAMP,
    ended      TIMESTAMP,
    value      REAL NOT NULL,
    message    TEXT NOT NULL,
    updated    TIMESTAMP NOT NULL,
    notified   TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_state ON alerts (state, host);

CREATE TABLE logs (
    id        INTEGER PRIMARY KEY,
    host      TEXT NOT NULL,
    channel   TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    time      TIMESTAMP NOT NULL,
    level     TEXT NOT NULL,
    event_id  INTEGER NOT NULL,
    source    TEXT NOT NULL,
    computer  TEXT NOT NULL,
    user_name TEXT NOT NULL,
    message   TEXT NOT NULL,
    data      TEXT NOT NULL,
    raw       TEXT NOT NULL
);
CREATE UNIQUE INDEX logs_record ON logs (host, channel, epoch, record_id);
CREATE INDEX logs_time ON logs (time);

CREATE TABLE cursors (
    host      TEXT NOT NULL,
    channel   TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    position  TEXT NOT NULL,
    updated   TIMESTAMP NOT NULL,
    PRIMARY KEY (host, channel)
) WITHOUT ROWID;

-- CROSS JOIN fixes the order: the series, their sweeps, one key lookup for each pair.
CREATE VIEW samples AS
SELECT s.host, s.name, s.instance, s.unit, s.kind, w.time, st.value, st.sweep_time
FROM series s
CROSS JOIN sweeps w
CROSS JOIN statistics st
WHERE st.sweep_time = w.sweep_time AND st.series_id = s.id;

CREATE VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       strftime('%Y-%m-%d %H:%M:%f', h.succeeded_sweep / 1000.0, 'unixepoch') AS time, st.value
FROM (hosts h JOIN series s ON s.host = h.name)
CROSS JOIN statistics st
WHERE st.sweep_time = h.succeeded_sweep AND st.series_id = s.id;

CREATE VIEW log_records AS
SELECT time, host, channel, level, event_id, source, computer, user_name, message, data, epoch, record_id
FROM logs;
