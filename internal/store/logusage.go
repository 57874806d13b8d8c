package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// measureLogs takes the number of log records from their ids where they are many: ids are given in order, and most of what
// is old came early.
func measureLogs(db *gorm.DB, t *TableUsage) error {
	for _, end := range []struct {
		order string
		time  *time.Time
	}{{"time", &t.Oldest}, {"time DESC", &t.Newest}} {
		var found []struct{ Time time.Time }
		if err := db.Table("logs").Select("time").Order(end.order).Limit(1).Scan(&found).Error; err != nil || len(found) == 0 {
			return err
		}
		*end.time = found[0].Time.UTC()
	}
	first, last, err := logEnds(db)
	if err != nil {
		return err
	}
	if t.Rows = last - first + 1; t.Rows > countedMost {
		t.Estimated = true
		return nil
	}
	return db.Table("logs").Count(&t.Rows).Error
}

// logEnds returns the first and the last id; 1 and 0: there are no log records.
func logEnds(db *gorm.DB) (first, last int64, err error) {
	var ids []int64
	err = db.Raw("SELECT id FROM logs WHERE id = (SELECT min(id) FROM logs) OR id = (SELECT max(id) FROM logs) ORDER BY id").
		Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return 1, 0, err
	}
	return ids[0], ids[len(ids)-1], nil
}

// logsOfDays adds to days, which follow one another, how many log records their sweeps brought: those between two ids, which
// it finds by halving, since ids are given in the order in which sweeps bring records. Only where they are not too many
// are they counted.
func (s *Store) logsOfDays(ctx context.Context, days []DayUsage) error {
	db, cancel := s.read(ctx)
	defer cancel()
	first, last, err := logEnds(db)
	if err != nil || last < first {
		return err
	}
	for i := range days {
		day := &days[i]
		begin, err := firstOfSweep(db, first, last, day.Day.UnixMilli())
		if err != nil {
			return err
		}
		end, err := firstOfSweep(db, begin, last, day.Day.AddDate(0, 0, 1).UnixMilli())
		if err != nil {
			return err
		}
		if day.Logs = end - begin; day.Logs > countedMost/int64(len(days)) {
			day.LogsEstimated = true
		} else if err := db.Table("logs").Where("id >= ? AND id < ?", begin, end).Count(&day.Logs).Error; err != nil {
			return err
		}
		first = end
	}
	return nil
}

// firstOfSweep returns the first id, of those from one to another, that a sweep at that time or later brought; that after
// the last, if none did.
func firstOfSweep(db *gorm.DB, first, last, sweep int64) (int64, error) {
	for first <= last {
		middle := first + (last-first)/2
		var rows []struct{ ID, SweepTime int64 }
		err := db.Table("logs").Select("id, sweep_time").Where("id >= ?", middle).Order("id").Limit(1).Scan(&rows).Error
		if err != nil {
			return 0, err
		}
		if len(rows) == 0 || rows[0].SweepTime >= sweep {
			last = middle - 1
		} else {
			first = rows[0].ID + 1
		}
	}
	return first, nil
}
