package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Sweep is a row of sweeps.
type Sweep struct {
	Time                   time.Time // its scheduled time names it, in whole milliseconds
	Started, Ended         time.Time // Ended zero: it runs, or was interrupted
	Hosts, Visited, Failed int
}

// SaveSweep inserts or updates a sweep. One that has ended is not reopened by a late message that it runs.
//
// Errors: ErrUnavailable, ctx's, or one that says why the sweep can't be stored.
func (s *Store) SaveSweep(ctx context.Context, sweep Sweep) error {
	if !storable(sweep.Time) {
		return fmt.Errorf("the sweep's time %v can't be stored", sweep.Time)
	}
	row := sweepRow{
		SweepTime: sweep.Time.UnixMilli(),
		Started:   nullable(sweep.Started),
		Ended:     nullable(sweep.Ended),
		Hosts:     sweep.Hosts,
		Visited:   sweep.Visited,
		Failed:    sweep.Failed,
	}
	u := upsert{engine: s.engine, table: "sweeps", key: "sweep_time"}
	u.advance(u.incoming("ended")+" IS NOT NULL OR "+u.stored("ended")+" IS NULL",
		"started", "hosts", "visited", "failed", "ended")
	return s.transact(ctx, "save a sweep", func(tx *gorm.DB) error {
		return tx.Clauses(u.clause()).Create(&row).Error
	})
}
