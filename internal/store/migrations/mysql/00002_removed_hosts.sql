-- +goose NO TRANSACTION
-- +goose Up

-- A host that the configuration no longer has keeps its row and its history; it is left out of what is said of now.
--
-- MySQL has no ADD COLUMN IF NOT EXISTS, and the migration may have been interrupted after the column was added.

SET @add_removed = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'hosts' AND column_name = 'removed'),
    'DO 0',
    'ALTER TABLE hosts ADD COLUMN removed DATETIME(6)');
PREPARE add_removed FROM @add_removed;
EXECUTE add_removed;
DEALLOCATE PREPARE add_removed;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW latest AS
SELECT s.host, h.group_path, s.name, s.instance, s.unit, s.kind,
       TIMESTAMP'1970-01-01 00:00:00' + INTERVAL h.succeeded_sweep * 1000 MICROSECOND AS time, st.value
FROM hosts h
JOIN series s ON s.host = h.name
JOIN statistics st ON st.sweep_time = h.succeeded_sweep AND st.series_id = s.id
WHERE h.removed IS NULL;
