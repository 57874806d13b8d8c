-- +goose Up

-- A host that the configuration no longer has keeps its row and its history; it is left out of what is said of now.

ALTER TABLE hosts ADD COLUMN removed timestamptz;

CREATE OR REPLACE VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       to_timestamp(h.succeeded_sweep / 1000.0) AS time, st.value
FROM hosts h
JOIN series s ON s.host = h.name
JOIN statistics st ON st.sweep_time = h.succeeded_sweep AND st.series_id = s.id
WHERE h.removed IS NULL;
