package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"muster/internal/report"
)

// Visit is a row of visits, with what its report brought.
type Visit struct {
	ID       string    // required; at most one row of a sweep and host has it
	Sweep    time.Time // required; the sweep's scheduled time, kept in whole milliseconds
	Host     string    // required; its name in the configuration
	Groups   string    // "web/front"
	Address  string
	Started  time.Time
	Took     time.Duration
	Sent     int64
	Received int64
	Uploaded bool
	Skipped  bool   // it did not take place, or was broken off, for reasons that are not the host's: its Kind says why
	Stage    string // of the failure; empty: none
	Kind     string
	Error    string
	Advice   string
	Jump     string `json:",omitempty"` // the jump host that is to blame for the failure; empty: none is. It has no column
	Log      string
	Stages   map[string]time.Duration
	Report   *report.Report // nil: failed, or skipped
}

// Save stores visits: the visits, their statistics, and what they say of their hosts. What is there already stays as it
// is, so it may be called again with the same visits, in any order and from several servers. It returns when the data is on
// the disk, and keeps nothing of visits.
//
// It does so in one transaction. If that has begun and is not over within a minute, the visits are saved in two halves, one
// after the other, each in a transaction of its own, and so on. So a visit is stored wholly or not at all, but of several
// some may be stored when Save returns an error other than that a visit can never be stored.
//
// Errors: ErrUnavailable (try again later, with all visits), ctx's, or one that names a visit that can never be stored.
func (s *Store) Save(ctx context.Context, visits []Visit) error {
	if len(visits) == 0 {
		return nil
	}
	err := s.saveAtOnce(ctx, visits)
	var overtime *overtimeError
	if len(visits) == 1 || !errors.As(err, &overtime) {
		return err
	}
	s.log.Warn("visits took too long to save and are saved in two halves", "visits", len(visits), "err", err)
	half := len(visits) / 2
	if err := s.Save(ctx, visits[:half]); err != nil {
		return err
	}
	return s.Save(ctx, visits[half:])
}

// saveAtOnce saves visits in one transaction.
func (s *Store) saveAtOnce(ctx context.Context, visits []Visit) error {
	b, err := newBatch(visits, s.known)
	if err != nil {
		return err
	}
	var r resolution
	err = s.transact(ctx, "save visits", func(tx *gorm.DB) error {
		var err error
		r, err = s.write(tx, b)
		return err
	})
	if err != nil {
		return err
	}
	s.known.add(r.known)
	if b.unusable > 0 {
		s.log.Warn("values that are not finite numbers were left out", "statistics", b.unusable)
	}
	if n := b.collided + len(r.foreign); n > 0 {
		s.log.Error("statistics were left out: the id of their series belongs to another", "series", n)
	}
	return nil
}

// write writes a batch in the given transaction.
func (s *Store) write(tx *gorm.DB, b *batch) (resolution, error) {
	if err := ignore(tx, b.sweeps, len(b.sweeps)); err != nil {
		return resolution{}, fmt.Errorf("sweeps: %w", err)
	}
	r, err := resolve(tx, b.series)
	if err != nil {
		return resolution{}, fmt.Errorf("series: %w", err)
	}
	statistics := b.statistics
	if len(r.foreign) > 0 {
		statistics = slices.Clone(statistics)
		statistics = slices.DeleteFunc(statistics, func(row statisticRow) bool { return r.foreign[row.SeriesID] })
	}
	if err := ignore(tx, statistics, s.engine.rows); err != nil {
		return resolution{}, fmt.Errorf("statistics: %w", err)
	}
	for chunk := range visitChunks(b.visits) {
		if err := ignore(tx, chunk, len(chunk)); err != nil {
			return resolution{}, fmt.Errorf("visits: %w", err)
		}
	}
	if err := s.upsertHosts(tx, b.hosts); err != nil {
		return resolution{}, fmt.Errorf("hosts: %w", err)
	}
	return r, nil
}

// ignore inserts rows, so many in a statement; those whose key is there already stay as they are.
func ignore[T any](tx *gorm.DB, rows []T, size int) error {
	for chunk := range slices.Chunk(rows, max(size, 1)) {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&chunk).Error; err != nil {
			return err
		}
	}
	return nil
}

const (
	rowsMax  = 400     // rows of the wider tables in one statement: 400 × 17 parameters
	bytesMax = 1 << 20 // texts of visits in one statement: a server takes 4 MiB at least
)

// visitChunks cuts visits into statements that every server takes, however long their logs are.
func visitChunks(rows []visitRow) func(yield func([]visitRow) bool) {
	return func(yield func([]visitRow) bool) {
		for len(rows) > 0 {
			n, size := 0, 0
			for n < len(rows) && n < rowsMax && (n == 0 || size < bytesMax) {
				size += len(rows[n].Log) + len(rows[n].Error) + len(rows[n].SourceFailures)
				n++
			}
			if !yield(rows[:n:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// resolution is what became of the series that a batch may bring.
type resolution struct {
	known   []seriesID     // are in the database once the transaction is committed
	foreign map[int64]bool // ids that belong to other series
}

// resolve sees to it that the series are in the database. It reads before it writes: after a restart all of them are there.
func resolve(tx *gorm.DB, series map[int64]newSeries) (resolution, error) {
	r := resolution{known: make([]seriesID, 0, len(series)), foreign: make(map[int64]bool)}
	ids := slices.Sorted(maps.Keys(series))
	for chunk := range slices.Chunk(ids, rowsMax) {
		stored, err := readSeries(tx, chunk)
		if err != nil {
			return r, err
		}
		var absent []seriesRow
		for _, id := range chunk {
			row := series[id].row
			other, ok := stored[id]
			switch {
			case !ok:
				absent = append(absent, row)
			case !same(&row, &other):
				r.foreign[id] = true
				continue
			}
			r.known = append(r.known, seriesID{id: id, check: series[id].check})
		}
		if err := ignore(tx, absent, rowsMax); err != nil {
			return r, err
		}
	}
	return r, nil
}

func readSeries(tx *gorm.DB, ids []int64) (map[int64]seriesRow, error) {
	var rows []seriesRow
	if err := tx.Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	stored := make(map[int64]seriesRow, len(rows))
	for _, row := range rows {
		stored[row.ID] = row
	}
	return stored, nil
}

// tardy is how much older than what is noted of a host a visit may be to pass for one that is delivered late, or a second
// time. What is noted further ahead was noted by a clock that was ahead, and gives way: otherwise the host would look as it
// did then until that time has really come.
const tardy = time.Hour

// upsertHosts notes the last visit and the last successful one of each host, if they are later than those noted, or more
// than tardy earlier. The batch's own visits to a host have been merged by the same rule, in the function later.
func (s *Store) upsertHosts(tx *gorm.DB, hosts []hostRow) error {
	u := upsert{engine: s.engine, table: "hosts", key: "name"}
	visited, before := u.incoming("visited"), u.stored("visited")
	u.advance(visited+" > "+before+" OR "+visited+" < "+s.engine.earlier(before),
		"group_path", "address", "visit_sweep", "visit_id", "visited")
	swept, before := u.incoming("succeeded_sweep"), u.stored("succeeded_sweep")
	u.advance(swept+" IS NOT NULL AND ("+before+" IS NULL OR "+swept+" > "+before+" OR "+
		swept+" < "+before+" - "+strconv.FormatInt(tardy.Milliseconds(), 10)+")",
		"os", "arch", "hostname", "client", "succeeded", "succeeded_sweep")
	// Somebody visits it, so some configuration has it.
	u.advance(u.stored("removed")+" IS NOT NULL AND "+u.incoming("visited")+" > "+u.stored("removed"), "removed")
	for chunk := range slices.Chunk(hosts, rowsMax) {
		if err := tx.Clauses(u.clause()).Create(&chunk).Error; err != nil {
			return err
		}
	}
	return nil
}
