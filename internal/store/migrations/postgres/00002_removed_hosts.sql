-- +goose Up

-- A host that the configuration no longer has keeps its row and its history; it is left out of what is said of now.

ALTER TABLE hosts ADD COLUMN removed timestamptz;

-- Of "removed IS NULL" a planner without statistics, as after the first sweep, believes that one row in two hundred has
-- it, and joins for minutes. Of a CASE it believes that half of them do.
CREATE OR REPLACE VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       to_timestamp(h.succeeded_sweep / 1000.0) AS time, st.value
FROM hosts h
JOIN series s ON s.host = h.name
JOIN statistics st ON st.sweep_time = h.succeeded_sweep AND st.series_id = s.id
WHERE CASE WHEN h.removed IS NULL THEN true ELSE false END;
