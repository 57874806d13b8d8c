package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"
)

// Usage is how large a database is, and how it grew.
type Usage struct {
	Bytes  int64 // on disk
	Free   int64 // of these, what is free and will be used again, as far as the engine tells
	Tables []TableUsage
	Days   []DayUsage // the oldest first; the last is today, which is not over
}

// TableUsage is how large a table is.
type TableUsage struct {
	Name           string
	Rows           int64
	Estimated      bool      // Rows is an estimate: to count them would take too long
	Bytes          int64     // with its indexes; -1: to find out would take too long
	Oldest, Newest time.Time // of what it tells; zero: none, or the table knows no time
}

// DayUsage is what a day (UTC) brought.
type DayUsage struct {
	Day                        time.Time
	Sweeps, Statistics, Visits int64
	Estimated                  bool  // these are estimated from some of the sweeps
	Logs                       int64 // log records
	LogsEstimated              bool
}

// space is what a database takes on disk.
type space struct {
	bytes, free int64
	tables      map[string]int64 // with their indexes; nil: to find out would take too long
}

const (
	samplesPerDay = 10      // sweeps whose rows are counted of a day
	samplesBefore = 50      // and of the time before
	countedMost   = 5 << 20 // rows that are counted at most, but for one sweep a day
)

// Usage returns how large the database is, and what the last days, up to now, brought to it. The rows of a large database
// are not counted but estimated, from sweeps taken evenly over time, so that it answers in seconds.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) Usage(ctx context.Context, now time.Time, days int) (*Usage, error) {
	u, err := s.usage(ctx, now, days)
	if err != nil {
		return nil, s.engine.fail(ctx, "measure", err)
	}
	return u, nil
}

func (s *Store) usage(ctx context.Context, now time.Time, days int) (*Usage, error) {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	taken, err := s.engine.space(limited, s.pool)
	if err != nil {
		return nil, fmt.Errorf("space: %w", err)
	}
	u := &Usage{Bytes: taken.bytes, Free: taken.free}
	c := &counter{store: s, left: countedMost}
	today := now.UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-days)
	total, err := c.volume(ctx, 0, first.UnixMilli(), samplesBefore)
	if err != nil {
		return nil, err
	}
	for day := first; !day.After(today); day = day.AddDate(0, 0, 1) {
		v, err := c.volume(ctx, day.UnixMilli(), day.AddDate(0, 0, 1).UnixMilli(), samplesPerDay)
		if err != nil {
			return nil, err
		}
		u.Days = append(u.Days, DayUsage{
			Day: day, Sweeps: v.sweeps, Statistics: v.statistics, Visits: v.visits, Estimated: v.estimated,
		})
		total = total.plus(v)
	}
	// What a clock that was ahead has left.
	ahead, err := c.volume(ctx, today.AddDate(0, 0, 1).UnixMilli(), math.MaxInt64, samplesPerDay)
	if err != nil {
		return nil, err
	}
	total = total.plus(ahead)
	if err := s.logsOfDays(ctx, u.Days); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	for _, t := range []TableUsage{
		{Name: "statistics", Rows: total.statistics, Estimated: total.estimated},
		{Name: "visits", Rows: total.visits, Estimated: total.estimated},
		{Name: "logs"}, {Name: "log_gaps"}, {Name: "sweeps", Rows: total.sweeps}, {Name: "series"}, {Name: "hosts"},
		{Name: "alerts"}, {Name: "cursors"}, {Name: "log_sequence"},
	} {
		if err := s.measure(ctx, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		t.Bytes = -1
		if taken.tables != nil {
			t.Bytes = taken.tables[t.Name]
		}
		u.Tables = append(u.Tables, t)
	}
	return u, nil
}

// measure adds to a table what is not known of it from its sweeps.
func (s *Store) measure(ctx context.Context, t *TableUsage) error {
	db, cancel := s.read(ctx)
	defer cancel()
	switch t.Name {
	case "statistics", "visits", "sweeps":
		var span struct{ Oldest, Newest *int64 }
		if err := db.Raw("SELECT min(sweep_time) AS oldest, max(sweep_time) AS newest FROM " + t.Name).Scan(&span).Error; err != nil {
			return err
		}
		if span.Oldest != nil && span.Newest != nil {
			t.Oldest, t.Newest = time.UnixMilli(*span.Oldest).UTC(), time.UnixMilli(*span.Newest).UTC()
		}
		return nil
	case "logs":
		return measureLogs(db, t)
	}
	return db.Table(t.Name).Count(&t.Rows).Error
}

// volume is what the sweeps of a span brought.
type volume struct {
	sweeps, statistics, visits int64
	estimated                  bool
}

func (v volume) plus(w volume) volume {
	return volume{v.sweeps + w.sweeps, v.statistics + w.statistics, v.visits + w.visits, v.estimated || w.estimated}
}

// counter counts rows, as long as they are not too many.
type counter struct {
	store *Store
	left  int64 // rows that may still be counted
}

// volume returns what the sweeps from a time to another brought: exactly where they are few, else from as many samples.
func (c *counter) volume(ctx context.Context, from, to int64, samples int) (volume, error) {
	var span struct {
		Sweeps         int64
		Oldest, Newest *int64
	}
	db, cancel := c.store.read(ctx)
	defer cancel()
	err := db.Raw("SELECT count(*) AS sweeps, min(sweep_time) AS oldest, max(sweep_time) AS newest FROM sweeps"+
		" WHERE sweep_time >= ? AND sweep_time < ?", from, to).Scan(&span).Error
	v := volume{sweeps: span.Sweeps}
	if err != nil || span.Sweeps == 0 || span.Oldest == nil || span.Newest == nil {
		return v, err
	}
	if span.Sweeps <= int64(samples) {
		v.statistics, v.visits, err = c.count(ctx, *span.Oldest, *span.Newest)
		return v, err
	}
	v.estimated = true
	counted, after := int64(0), int64(-1)
	for i := range int64(samples) {
		// Of the sweep after a point of time, the first being the oldest.
		point := *span.Oldest + (*span.Newest-*span.Oldest)/int64(samples)*i
		var at sql.NullInt64
		if err := db.Raw("SELECT min(sweep_time) FROM sweeps WHERE sweep_time >= ?", max(point, after+1)).Scan(&at).Error; err != nil {
			return v, err
		}
		statistics, visits, err := c.count(ctx, at.Int64, at.Int64)
		if err != nil {
			return v, err
		}
		v.statistics, v.visits, counted, after = v.statistics+statistics, v.visits+visits, counted+1, at.Int64
		if c.left <= 0 || after >= *span.Newest {
			break
		}
	}
	v.statistics, v.visits = scale(v.statistics, v.sweeps, counted), scale(v.visits, v.sweeps, counted)
	return v, nil
}

func scale(rows, sweeps, counted int64) int64 {
	return int64(math.Round(float64(rows) * float64(sweeps) / float64(counted)))
}

// count counts what the sweeps from one to another brought.
func (c *counter) count(ctx context.Context, oldest, newest int64) (statistics, visits int64, err error) {
	db, cancel := c.store.read(ctx)
	defer cancel()
	const within = "sweep_time >= ? AND sweep_time <= ?"
	if err := db.Table("statistics").Where(within, oldest, newest).Count(&statistics).Error; err != nil {
		return 0, 0, err
	}
	if err := db.Table("visits").Where(within, oldest, newest).Count(&visits).Error; err != nil {
		return 0, 0, err
	}
	c.left -= statistics + visits
	return statistics, visits, nil
}
