package recorder

import (
	"context"
	"errors"
	"fmt"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/store"
)

// batch is what is written at once.
type batch struct {
	visits  []item[store.Visit] // not yet written
	logs    []item[store.Logs]  // likewise
	sweeps  []item[store.Sweep] // likewise
	refused []refusal           // never will be

	entries int          // that it was made of
	size    int          // in memory, about
	done    func() error // notes that it is written

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

// decode makes a batch of the first entries: all, or as many as take so many bytes in memory.
func decode(entries []queue.Entry, full int) *batch {
	b := new(batch)
	for _, e := range entries {
		if err := b.add(e); err != nil {
			b.refused = append(b.refused, refusal{e, err})
		}
		b.entries++
		if b.size >= full {
			break
		}
	}
	return b
}

// What a statistic, a log record and one of its data take in memory beside their texts, in bytes.
const (
	statisticSize = 72
	recordSize    = 192
	fieldSize     = 32
)

// add reads an entry.
func (b *batch) add(e queue.Entry) error {
	b.size += len(e.Data) // of its texts
	switch e.Kind {
	case entry.KindVisit, entry.KindStoreVisit:
		v, err := entry.DecodeVisit(e.Data)
		if err != nil {
			return err
		}
		if v.Report != nil {
			b.size += statisticSize * len(v.Report.Statistics)
		}
		b.visits = append(b.visits, item[store.Visit]{*v, e})
	case entry.KindLogs, entry.KindStoreLogs:
		l, err := entry.DecodeLogs(e.Data)
		if err != nil {
			return err
		}
		for i := range l.Channels {
			for j := range l.Channels[i].Records {
				b.size += recordSize + fieldSize*len(l.Channels[i].Records[j].Data)
			}
		}
		b.logs = append(b.logs, item[store.Logs]{*l, e})
	case entry.KindSweep, entry.KindStoreSweep:
		s, err := entry.DecodeSweep(e.Data)
		if err != nil {
			return err
		}
		b.sweeps = append(b.sweeps, item[store.Sweep]{store.Sweep{
			Time: s.Time, Started: s.Started, Ended: s.Ended, Hosts: s.Hosts, Visited: s.Visited, Failed: s.Failed,
		}, e})
	default:
		return fmt.Errorf("%w: it is of the kind %q, which this program does not know", entry.ErrUnreadable, e.Kind)
	}
	return nil
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
