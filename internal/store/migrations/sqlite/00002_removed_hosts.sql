-- +goose Up

-- A host that the configuration no longer has keeps its row and its history; it is left out of what is said of now.

DROP VIEW latest;

ALTER TABLE hosts ADD COLUMN removed TIMESTAMP;

CREATE VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       strftime('%Y-%m-%d %H:%M:%f', h.succeeded_sweep / 1000.0, 'unixepoch') AS time, st.value
FROM (hosts h JOIN series s ON s.host = h.name)
CROSS JOIN statistics st
WHERE st.sweep_time = h.succeeded_sweep AND st.series_id = s.id AND h.removed IS NULL;
