package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Pruned is how many rows a Prune has deleted, of each table.
type Pruned struct {
	Statistics, Visits, Sweeps, Alerts, Logs, Gaps int64
	Steps                                          int // transactions
}

// Rows returns how many rows were deleted in all.
func (p Pruned) Rows() int64 { return p.Statistics + p.Visits + p.Sweeps + p.Alerts + p.Logs + p.Gaps }

// pruneSteps is how many rows one transaction of Prune deletes at most. Those of a Store take some tens of milliseconds:
// less than anybody who writes beside it would notice.
type pruneSteps struct{ statistics, others int }

// longestYield bounds how long Prune lets others write between two steps.
const longestYield = time.Second

// Prune deletes what is older than before: statistics, visits and sweeps of sweeps scheduled before it, log records with a
// time before it, what was found missing of them before it, and alerts that ended before it. A log record whose time was
// still to come when it was read is as old as the sweep that brought it. Hosts, series and cursors stay, since a visit that
// is just being saved may refer to any of them; so do alerts that have not ended.
//
// It works in small steps in the order of the keys, each a transaction of its own, and between two of them it lets others
// write for as long as the step took. So it may run beside Save, from several servers too, and stop at any time: what is
// left is deleted by the next call. It returns what was deleted, also beside an error.
//
// A visit from before that time that is saved while Prune runs may stay until the next call, perhaps without its sweep.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) Prune(ctx context.Context, before time.Time) (Pruned, error) {
	return s.PruneWatched(ctx, before, func(Pruned) {})
}

// PruneWatched is Prune, and calls progress after each step with what was deleted until then.
func (s *Store) PruneWatched(ctx context.Context, before time.Time, progress func(Pruned)) (Pruned, error) {
	var p Pruned
	if before.Unix() <= 0 {
		return p, nil // nothing is stored of then
	}
	step := func(rows *int64) func(int64) {
		return func(deleted int64) {
			*rows += deleted
			p.Steps++
			progress(p)
		}
	}
	end := before.UnixMilli()
	err := firstError(
		// Sweeps go last, so that at no time there is anything of a sweep that is not there.
		func() error {
			return pruneHistory[int64](ctx, s, history{"statistics", "series_id", s.steps.statistics, end}, step(&p.Statistics))
		},
		func() error {
			return pruneHistory[string](ctx, s, history{"visits", "host", s.steps.others, end}, step(&p.Visits))
		},
		func() error {
			return pruneHistory[int64](ctx, s, history{"sweeps", "sweep_time", s.steps.others, end}, step(&p.Sweeps))
		},
		func() error {
			over := selection{"alerts", "id", "state = ? AND ended < ?", []any{resolved, stamp(before)}}
			return pruneSelection[string](ctx, s, over, step(&p.Alerts))
		},
		func() error { return s.pruneByTime(ctx, "logs", "time", before, step(&p.Logs)) },
		func() error { return s.pruneAhead(ctx, end, step(&p.Logs)) },
		func() error { return s.pruneByTime(ctx, "log_gaps", "found", before, step(&p.Gaps)) },
	)
	return p, err
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// history is a table whose key begins with the sweep's time, and which rows of it are to be deleted.
type history struct {
	table  string
	second string // the key's second column
	step   int    // rows of one transaction
	end    int64  // the sweep's time before which rows go
}

// edge is a place in a history's key.
type edge[K any] struct {
	SweepTime int64
	Second    K
}

// pruneHistory deletes a history's rows from its beginning to its end. It looks which sweep is the first that does not fit
// into the step, and deletes the whole sweeps before that, or a sweep that has more rows than a step in parts. Each look
// begins where the last step ended: what was deleted lies about in the index for a while, and would be read again by
// each step.
func pruneHistory[K int64 | string](ctx context.Context, s *Store, h history, deleted func(int64)) error {
	start := int64(0)
	for {
		first, found, err := seek[K](ctx, s, h, 0, "sweep_time >= ? AND sweep_time < ?", start, h.end)
		if err != nil || !found {
			return err
		}
		beyond, found, err := seek[K](ctx, s, h, h.step, "sweep_time >= ? AND sweep_time < ?", first.SweepTime, h.end)
		switch {
		case err != nil:
			return err
		case !found:
			start = h.end
		case beyond.SweepTime == first.SweepTime:
			if err := pruneSweep[K](ctx, s, h, first.SweepTime, deleted); err != nil {
				return err
			}
			start = first.SweepTime + 1
			continue
		default:
			start = beyond.SweepTime
		}
		if err := s.pruneStep(ctx, deleted, h.table, "sweep_time >= ? AND sweep_time < ?", first.SweepTime, start); err != nil {
			return err
		}
	}
}

// pruneSweep deletes a sweep that has more rows than a step, in parts.
func pruneSweep[K int64 | string](ctx context.Context, s *Store, h history, sweep int64, deleted func(int64)) error {
	rest, values := "sweep_time = ?", []any{sweep}
	for {
		last, found, err := seek[K](ctx, s, h, h.step-1, rest, values...)
		if err != nil {
			return err
		}
		if !found {
			return s.pruneStep(ctx, deleted, h.table, rest, values...)
		}
		if err := s.pruneStep(ctx, deleted, h.table, rest+" AND "+h.second+" <= ?", append(values, last.Second)...); err != nil {
			return err
		}
		rest, values = "sweep_time = ? AND "+h.second+" > ?", []any{sweep, last.Second}
	}
}

// seek returns the key of the row that so many others of those that fulfil the condition come before.
func seek[K int64 | string](ctx context.Context, s *Store, h history, others int, condition string, values ...any) (edge[K], bool, error) {
	var edges []edge[K]
	err := s.look(ctx, func(db *gorm.DB) error {
		return db.Table(h.table).Select("sweep_time, "+h.second+" AS second").Where(condition, values...).
			Order("sweep_time, " + h.second).Offset(others).Limit(1).Scan(&edges).Error
	})
	if err != nil || len(edges) == 0 {
		return edge[K]{}, false, err
	}
	return edges[0], true, nil
}

// selection is which rows are to be deleted of a table that is not ordered by time.
type selection struct {
	table     string
	order     string // the column to go along
	condition string
	values    []any
}

// pruneSelection deletes a selection by its ids. The condition is asked again of each row that is deleted: an alert may
// have begun anew since its id was read.
func pruneSelection[K int64 | string](ctx context.Context, s *Store, sel selection, deleted func(int64)) error {
	for {
		var ids []K
		err := s.look(ctx, func(db *gorm.DB) error {
			return db.Table(sel.table).Where(sel.condition, sel.values...).Order(sel.order).Limit(s.steps.others).Pluck("id", &ids).Error
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		values := append([]any{ids}, sel.values...)
		if err := s.pruneStep(ctx, deleted, sel.table, "id IN ? AND "+sel.condition, values...); err != nil {
			return err
		}
		if len(ids) < s.steps.others {
			return nil
		}
	}
}

// look reads outside of a transaction.
func (s *Store) look(ctx context.Context, query func(*gorm.DB) error) error {
	err := s.engine.retry(ctx, func() error {
		db, cancel := s.read(ctx)
		defer cancel()
		return query(db)
	})
	if err != nil {
		return s.engine.fail(ctx, "find what is to be deleted", err)
	}
	return nil
}

// pruneStep deletes the rows of a table that fulfil the condition, in one transaction, and then waits for as long as that
// took, or until ctx ends.
func (s *Store) pruneStep(ctx context.Context, deleted func(int64), table, condition string, values ...any) error {
	begun := time.Now()
	var rows int64
	err := s.transact(ctx, "delete old "+table, func(tx *gorm.DB) error {
		result := tx.Exec("DELETE FROM "+table+" WHERE "+condition, values...)
		rows = result.RowsAffected
		return result.Error
	})
	if err != nil {
		return err
	}
	deleted(rows)
	took := max(time.Since(begun), time.Microsecond) // some clocks stand still for longer than a step takes
	if wait(ctx, min(took, longestYield)) != nil {
		return fmt.Errorf("delete old %s: %w", table, ctx.Err())
	}
	return nil
}
