package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Table is a durable map from texts to bytes, in the same place as the queue. Keys consist of letters, digits and -_=.
// and are not empty. It is safe for concurrent use.
type Table struct {
	queue *Queue
	name  string
}

// Table returns the table of this name: letters, digits, - and _. It is made when it is first used.
func (q *Queue) Table(name string) *Table { return &Table{q, name} }

// All returns everything in the table. The map is the caller's.
//
// Errors: ErrUnavailable, or ctx's.
func (t *Table) All(ctx context.Context) (map[string][]byte, error) {
	var all map[string][]byte
	err := t.call(ctx, "read", func(ctx context.Context, kv jetstream.KeyValue) (err error) {
		all, err = readAll(ctx, kv)
		return err
	})
	return all, err
}

// Put writes a value, and returns when it is on disk.
//
// Errors: ErrUnavailable, ErrFull, ErrTooLarge, or ctx's.
func (t *Table) Put(ctx context.Context, key string, value []byte) error {
	return t.call(ctx, "write", func(ctx context.Context, kv jetstream.KeyValue) error {
		l, err := t.queue.current()
		if err != nil {
			return err
		}
		if most := l.maxPayload(); int64(len(value)) > most {
			return fmt.Errorf("%w: %d bytes for key %q, of which the message system takes %d", ErrTooLarge, len(value), key, most)
		}
		_, err = kv.Put(ctx, key, value)
		if isFull(err) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		return err
	})
}

// Delete removes a key, and returns when that is on disk. A key that is not there is no error.
//
// Errors: ErrUnavailable, or ctx's.
func (t *Table) Delete(ctx context.Context, key string) error {
	return t.call(ctx, "delete from", func(ctx context.Context, kv jetstream.KeyValue) error {
		return kv.Purge(ctx, key)
	})
}

func (t *Table) call(ctx context.Context, doing string, do func(context.Context, jetstream.KeyValue) error) error {
	l, err := t.queue.current()
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kv, err := l.table(call, t.name)
	if err == nil {
		err = do(call, kv)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrFull), errors.Is(err, ErrTooLarge):
		return err
	}
	t.queue.ask()
	return unavailable(doing+" table "+t.name, err)
}

func readAll(ctx context.Context, kv jetstream.KeyValue) (map[string][]byte, error) {
	watcher, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer watcher.Stop()
	all := make(map[string][]byte)
	for {
		select {
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok:
				return nil, errors.New("the table ended while it was read")
			case entry == nil:
				return all, nil // that was everything
			}
			all[entry.Key()] = entry.Value()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
