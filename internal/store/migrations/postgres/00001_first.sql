-- +goose Up

-- Times are timestamps with a time zone. The sweep's time is the key that ties everything together: milliseconds since
-- 1970-01-01 UTC, so that statistics stay narrow. Keys compare byte by byte (COLLATE "C"), whatever the database's locale.

CREATE TABLE hosts (
    name            text COLLATE "C" NOT NULL PRIMARY KEY,
    group_path      text COLLATE "C" NOT NULL,
    address         text NOT NULL,
    os              text NOT NULL,
    arch            text NOT NULL,
    hostname        text NOT NULL,
    client          text NOT NULL,
    visited         timestamptz NOT NULL,
    visit_sweep     bigint NOT NULL,
    visit_id        text COLLATE "C" NOT NULL,
    succeeded       timestamptz,
    succeeded_sweep bigint
);

CREATE TABLE series (
    id       bigint PRIMARY KEY,
    host     text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    instance text COLLATE "C" NOT NULL,
    unit     text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL
);
CREATE INDEX series_host ON series (host, name, instance);
CREATE INDEX series_name ON series (name, instance);

CREATE TABLE sweeps (
    sweep_time bigint PRIMARY KEY,
    time       timestamptz GENERATED ALWAYS AS (to_timestamp(sweep_time / 1000.0)) STORED,
    started    timestamptz,
    ended      timestamptz,
    hosts      integer NOT NULL DEFAULT 0,
    visited    integer NOT NULL DEFAULT 0,
    failed     integer NOT NULL DEFAULT 0
);
CREATE INDEX sweeps_by_time ON sweeps (time);

CREATE TABLE visits (
    sweep_time      bigint NOT NULL,
    host            text COLLATE "C" NOT NULL,
    visit_id        text COLLATE "C" NOT NULL,
    started         timestamptz NOT NULL,
    seconds         double precision NOT NULL,
    outcome         text COLLATE "C" NOT NULL,
    stage           text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    error           text NOT NULL,
    advice          text NOT NULL,
    address         text NOT NULL,
    sent            bigint NOT NULL,
    received        bigint NOT NULL,
    uploaded        boolean NOT NULL,
    stages          jsonb NOT NULL,
    source_failures jsonb NOT NULL,
    log             text NOT NULL,
    PRIMARY KEY (sweep_time, host, visit_id)
);

CREATE TABLE statistics (
    sweep_time bigint NOT NULL,
    series_id  bigint NOT NULL,
    value      double precision NOT NULL,
    PRIMARY KEY (sweep_time, series_id)
);

CREATE TABLE alerts (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    host       text COLLATE "C" NOT NULL,
    statistic  text COLLATE "C" NOT NULL,
    instance   text COLLATE "C" NOT NULL,
    direction  text COLLATE "C" NOT NULL,
    unit       text COLLATE "C" NOT NULL,
    limit_text text NOT NULL,
    state      text COLLATE "C" NOT NULL,
    since      timestamptz NOT NULL,
    raised     timestamptz,
    ended      timestamptz,
    value      double precision NOT NULL,
    message    text NOT NULL,
    updated    timestamptz NOT NULL,
    notified   text COLLATE "C" NOT NULL
);
CREATE INDEX alerts_state ON alerts (state, host);

CREATE TABLE logs (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host      text COLLATE "C" NOT NULL,
    channel   text COLLATE "C" NOT NULL,
    epoch     bigint NOT NULL,
    record_id bigint NOT NULL,
    time      timestamptz NOT NULL,
    level     text COLLATE "C" NOT NULL,
    event_id  bigint NOT NULL,
    source    text COLLATE "C" NOT NULL,
    computer  text NOT NULL,
    user_name text NOT NULL,
    message   text NOT NULL,
    data      text NOT NULL,
    raw       text NOT NULL
);
CREATE UNIQUE INDEX logs_record ON logs (host, channel, epoch, record_id);
CREATE INDEX logs_time ON logs (time);

CREATE TABLE cursors (
    host      text COLLATE "C" NOT NULL,
    channel   text COLLATE "C" NOT NULL,
    epoch     bigint NOT NULL,
    record_id bigint NOT NULL,
    position  text NOT NULL,
    updated   timestamptz NOT NULL,
    PRIMARY KEY (host, channel)
);

CREATE VIEW samples AS
SELECT s.host, s.name, s.instance, s.unit, s.kind, w.time, st.value, st.sweep_time
FROM series s
CROSS JOIN sweeps w
JOIN statistics st ON st.sweep_time = w.sweep_time AND st.series_id = s.id;

CREATE VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       to_timestamp(h.succeeded_sweep / 1000.0) AS time, st.value
FROM hosts h
JOIN series s ON s.host = h.name
JOIN statistics st ON st.sweep_time = h.succeeded_sweep AND st.series_id = s.id;

CREATE VIEW log_records AS
SELECT time, host, channel, level, event_id, source, computer, user_name, message, data, epoch, record_id
FROM logs;
