package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"muster/internal/report"
)

// Logs is what one part of a visit brought of a host's logs.
type Logs struct {
	Visit    string    // required; the visit's id
	Part     int       // of the visit, from 0
	Sweep    time.Time // required; the sweep's scheduled time, kept in whole milliseconds
	Host     string    // required; its name in the configuration
	Groups   string    // "web/front"
	Read     time.Time // when the part was received
	Channels []report.Logs
}

// Logon is what a record says of somebody who logged in, or tried to.
type Logon struct {
	Outcome string // LogonAccepted, LogonFailed; empty: the record is about something else
	Account string // who
	Address string // from where
}

// SaveLogs stores log records, gaps and cursors. What is there already stays as it is, so it may be called again with the
// same parts, in any order and from several servers. It returns when the data is on the disk, and keeps nothing of logs.
//
// It does so in one transaction: a cursor is never there without the records before it. If that has begun and is not over
// within a minute, they are saved in two halves, and so on down to single records, a channel's cursor with the last of its
// records. So of several some may be stored when it returns an error.
//
// A channel's cursor moves as its records did on the host: within an epoch to greater record ids only, from one epoch to
// another to greater numbers, or, of the journal, by the time at which they were read. A part that is delivered late adds
// its records and moves nothing back.
//
// Errors: ErrUnavailable (try again later, with all of them), ctx's, or one that names a part that can never be stored.
func (s *Store) SaveLogs(ctx context.Context, logs []Logs) error {
	if len(logs) == 0 {
		return nil
	}
	err := s.saveLogsAtOnce(ctx, logs)
	var overtime *overtimeError
	if !errors.As(err, &overtime) {
		return err
	}
	first, second, ok := halve(logs)
	if !ok {
		return err
	}
	s.log.Warn("log records took too long to save and are saved in two halves", "parts", len(logs), "err", err)
	if err := s.SaveLogs(ctx, first); err != nil {
		return err
	}
	return s.SaveLogs(ctx, second)
}

// halve cuts what is to be saved into two: parts, or the channels of one, or the records of one; false if there is but one.
func halve(logs []Logs) (first, second []Logs, ok bool) {
	if half := len(logs) / 2; half > 0 {
		return logs[:half], logs[half:], true
	}
	a, b := logs[0], logs[0]
	if half := len(a.Channels) / 2; half > 0 {
		a.Channels, b.Channels = a.Channels[:half], b.Channels[half:]
		return []Logs{a}, []Logs{b}, true
	}
	if len(a.Channels) == 0 || len(a.Channels[0].Records) < 2 {
		return nil, nil, false
	}
	early, late := a.Channels[0], a.Channels[0]
	half := len(early.Records) / 2
	early.Records, late.Records = early.Records[:half], late.Records[half:]
	early.Gaps, early.Next = nil, report.Cursor{}
	a.Channels, b.Channels = []report.Logs{early}, []report.Logs{late}
	return []Logs{a}, []Logs{b}, true
}

// saveLogsAtOnce saves logs in one transaction.
func (s *Store) saveLogsAtOnce(ctx context.Context, logs []Logs) error {
	b, err := newLogBatch(logs, s.logon)
	if err != nil {
		return err
	}
	return s.transact(ctx, "save log records", func(tx *gorm.DB) error { return s.writeLogs(tx, b) })
}

// writeLogs writes a batch in the given transaction.
func (s *Store) writeLogs(tx *gorm.DB, b *logBatch) error {
	next, err := takeIDs(tx, len(b.rows)+len(b.gaps))
	if err != nil {
		return fmt.Errorf("log_sequence: %w", err)
	}
	for i := range b.rows {
		b.rows[i].ID = next
		next++
	}
	for i := range b.gaps {
		b.gaps[i].ID = next
		next++
	}
	for chunk := range logChunks(b.rows) {
		if err := ignore(tx, chunk, len(chunk)); err != nil {
			return fmt.Errorf("logs: %w", err)
		}
	}
	if err := ignore(tx, b.gaps, rowsMax); err != nil {
		return fmt.Errorf("log_gaps: %w", err)
	}
	if err := widen(tx, b.gaps); err != nil {
		return fmt.Errorf("log_gaps: %w", err)
	}
	if err := s.moveCursors(tx, b.cursors); err != nil {
		return fmt.Errorf("cursors: %w", err)
	}
	return nil
}

// widen moves the ends of gaps that were stored before, by a reading that was repeated: more may have gone meanwhile. A gap
// without an end is the widest.
func widen(tx *gorm.DB, gaps []gapRow) error {
	for i := range gaps {
		g := &gaps[i]
		stored := tx.Model(&gapRow{}).Where("host = ? AND channel = ? AND epoch = ? AND first_id = ?", g.Host, g.Channel, g.Epoch, g.FirstID)
		if g.LastID == nil {
			stored = stored.Where("last_id IS NOT NULL")
		} else {
			stored = stored.Where("last_id < ?", *g.LastID)
		}
		if err := stored.Update("last_id", g.LastID).Error; err != nil {
			return err
		}
	}
	return nil
}

// takeIDs returns the first of n ids, of records and gaps. Whoever has called it is alone with the tables of log records
// until his transaction ends.
func takeIDs(tx *gorm.DB, n int) (first int64, err error) {
	update := tx.Exec("UPDATE log_sequence SET last = last + ? WHERE id = 1", n)
	if update.Error != nil {
		return 0, update.Error
	}
	var last []int64
	if err := tx.Raw("SELECT last FROM log_sequence WHERE id = 1").Scan(&last).Error; err != nil {
		return 0, err
	}
	if len(last) == 0 {
		return 0, errors.New("its one row is missing: INSERT INTO log_sequence " +
			"SELECT 1, coalesce(max(id), 1) FROM (SELECT id FROM logs UNION ALL SELECT id FROM log_gaps) AS ids")
	}
	return last[0] - int64(n) + 1, nil
}

// moveCursors stores those cursors that take the place of what is stored. Nobody else moves any meanwhile.
func (s *Store) moveCursors(tx *gorm.DB, cursors []cursorRow) error {
	if len(cursors) == 0 {
		return nil
	}
	hosts := make([]string, 0, len(cursors))
	for i := range cursors {
		hosts = append(hosts, cursors[i].Host)
	}
	stored, err := readCursors(tx, slices.Compact(hosts)) // cursors are in their order
	if err != nil {
		return err
	}
	moved := slices.DeleteFunc(slices.Clone(cursors), func(c cursorRow) bool {
		other, ok := stored[channelKey{c.Host, c.Channel}]
		return ok && !c.supersedes(&other)
	})
	u := upsert{engine: s.engine, table: "cursors"}
	u.replace("epoch", "record_id", "position", "updated")
	conflict := u.clause()
	conflict.Columns = []clause.Column{{Name: "host"}, {Name: "channel"}}
	for chunk := range slices.Chunk(moved, rowsMax) {
		if err := tx.Clauses(conflict).Create(&chunk).Error; err != nil {
			return err
		}
	}
	return nil
}

// readCursors returns all cursors that are stored of hosts.
func readCursors(db *gorm.DB, hosts []string) (map[channelKey]cursorRow, error) {
	stored := make(map[channelKey]cursorRow, len(hosts))
	for chunk := range slices.Chunk(hosts, rowsMax) {
		var rows []cursorRow
		if err := db.Where("host IN ?", chunk).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, row := range rows {
			stored[channelKey{row.Host, row.Channel}] = row
		}
	}
	return stored, nil
}

// logChunks cuts log records into statements that every server takes, however long they are.
func logChunks(rows []logRow) func(yield func([]logRow) bool) {
	return func(yield func([]logRow) bool) {
		for len(rows) > 0 {
			n, size := 0, 0
			for n < len(rows) && n < rowsMax && (n == 0 || size < bytesMax) {
				size += len(rows[n].Raw) + len(rows[n].Data) + len(rows[n].Message)
				n++
			}
			if !yield(rows[:n:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}
