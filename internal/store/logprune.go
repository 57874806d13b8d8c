package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// pruneByTime deletes the rows of a table whose time is before the given one, the oldest first. Each look begins where the
// last step ended, as in pruneHistory.
func (s *Store) pruneByTime(ctx context.Context, table, column string, before time.Time, deleted func(int64)) error {
	start := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC) // nothing is stored with an earlier one
	for {
		var rows []struct {
			ID   int64
			Time time.Time
		}
		err := s.look(ctx, func(db *gorm.DB) error {
			return db.Table(table).Select("id, "+column+" AS time").Where(column+" >= ? AND "+column+" < ?", start, stamp(before)).
				Order(column).Limit(s.steps.others).Scan(&rows).Error
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]int64, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID
		}
		if err := s.pruneStep(ctx, deleted, table, "id IN ?", ids); err != nil {
			return err
		}
		if len(rows) < s.steps.others {
			return nil
		}
		start = rows[len(rows)-1].Time.UTC()
	}
}

// pruneAhead deletes the log records of sweeps before end that are left when those with a time before it are gone: when
// they were read their time was still to come. Others that came earlier than these are gone, so that they are the first.
func (s *Store) pruneAhead(ctx context.Context, end int64, deleted func(int64)) error {
	for {
		var rows []struct{ ID, SweepTime int64 }
		err := s.look(ctx, func(db *gorm.DB) error {
			return db.Table("logs").Select("id, sweep_time").Order("id").Limit(s.steps.others).Scan(&rows).Error
		})
		if err != nil {
			return err
		}
		var ids []int64
		for _, row := range rows {
			if row.SweepTime < end {
				ids = append(ids, row.ID)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		if err := s.pruneStep(ctx, deleted, "logs", "id IN ?", ids); err != nil {
			return err
		}
	}
}
