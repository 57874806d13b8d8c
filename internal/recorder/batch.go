package recorder

import (
	"context"
	"errors"

	"muster/internal/queue"
	"muster/internal/store"
)

// batch is what is written at once.
type batch struct {
	visits  []item[store.Visit] // not yet written
	logs    []item[store.Logs]  // likewise
	sweeps  []item[store.Sweep] // likewise
	refused []refusal           // never will be

	written, rows, records uint64
}

// item is something to store, and the entry that it came in.
type item[T any] struct {
	value T
	entry queue.Entry
}

type refusal struct {
	entry  queue.Entry
	reason error
}

// save writes what is not yet written. Where the database takes some of it but not the whole, what it refuses is refused
// for good. What is written is not written again when save is called again.
func (b *batch) save(ctx context.Context, database Store) error {
	visits, err := saveAll(ctx, b.visits, &b.refused, func(ctx context.Context, chosen []store.Visit) error {
		if err := database.Save(ctx, chosen); err != nil {
			return err
		}
		b.written += uint64(len(chosen))
		for i := range chosen {
			if report := chosen[i].Report; report != nil {
				b.rows += uint64(len(report.Statistics))
			}
		}
		return nil
	}, database)
	b.visits = visits
	if err != nil {
		return err
	}
	b.logs, err = saveAll(ctx, b.logs, &b.refused, func(ctx context.Context, chosen []store.Logs) error {
		if err := database.SaveLogs(ctx, chosen); err != nil {
			return err
		}
		for i := range chosen {
			for j := range chosen[i].Channels {
				b.records += uint64(len(chosen[i].Channels[j].Records))
			}
		}
		return nil
	}, database)
	if err != nil {
		return err
	}
	b.sweeps, err = saveAll(ctx, b.sweeps, &b.refused, func(ctx context.Context, chosen []store.Sweep) error {
		for _, s := range chosen {
			if err := database.SaveSweep(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}, database)
	return err
}

// saveAll writes items, at once if possible, and returns those that are left because of the error.
func saveAll[T any](ctx context.Context, items []item[T], refused *[]refusal, save func(context.Context, []T) error, database Store) ([]item[T], error) {
	if len(items) == 0 {
		return nil, nil
	}
	values := make([]T, len(items))
	for i := range items {
		values[i] = items[i].value
	}
	err := save(ctx, values)
	if err == nil {
		return nil, nil
	}
	if isAway(ctx, err) {
		return items, err
	}
	for len(items) > 0 {
		err := save(ctx, values[:1])
		if err != nil && (isAway(ctx, err) || database.Probe(ctx) != nil) {
			return items, err
		}
		if err != nil {
			*refused = append(*refused, refusal{items[0].entry, err})
		}
		items, values = items[1:], values[1:]
	}
	return nil, nil
}

// isAway reports whether an error says nothing about what was to be written.
func isAway(ctx context.Context, err error) bool {
	return errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil
}
