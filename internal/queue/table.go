package queue

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Table is a durable map from texts to bytes, in the same place as the queue. Keys consist of letters, digits and -_=.
// and neither begin nor end with a dot, nor have two in a row. It is safe for concurrent use.
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
	err := t.call(ctx, "read", func(_ *link, b *bucket) (err error) {
		all, err = b.all(ctx)
		return err
	})
	return all, err
}

// Put writes a value, and returns when it is on disk. The message of it must fit into the message system: see ErrTooLarge.
//
// Errors: ErrUnavailable, ErrFull, ErrTooLarge, or ctx's.
func (t *Table) Put(ctx context.Context, key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return t.call(ctx, "write", func(l *link, b *bucket) error {
		if err := l.tooLarge(len(value)); err != nil {
			return fmt.Errorf("%w (the value of %s)", err, key)
		}
		err := b.put(ctx, key, value)
		if isFull(err) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		return err
	})
}

// Delete removes a key, and returns when that is on disk. A key that is not there is no error.
//
// Errors: ErrUnavailable, ErrFull, or ctx's.
func (t *Table) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return t.call(ctx, "delete from", func(_ *link, b *bucket) error { return b.delete(ctx, key) })
}

func checkKey(key string) error {
	const valid = `^[-_=A-Za-z0-9]+(\.[-_=A-Za-z0-9]+)*$`
	if ok, _ := regexp.MatchString(valid, key); !ok {
		return fmt.Errorf("%q can't be the key of a table", key)
	}
	return nil
}

func (t *Table) call(ctx context.Context, doing string, do func(*link, *bucket) error) error {
	l, err := t.queue.current()
	if err != nil {
		return err
	}
	b, err := l.table(ctx, t.name)
	if err == nil {
		err = do(l, b)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrFull), errors.Is(err, ErrTooLarge):
		return err
	}
	l.miss(err)
	t.queue.ask()
	return unavailable(doing+" table "+t.name, err)
}

// bucket is a table in JetStream: a stream with a subject for each key, of which it keeps the last message. A key that was
// deleted has a message that says so, for a while: were it only removed, an older one might come back after a power cut.
//
// It is read message by message from the stream's leader. The key-value store of nats.go, whose form this nearly is, may
// read from a server of a cluster that has not heard of the last messages yet.
type bucket struct {
	link   *link
	stream jetstream.Stream
	prefix string // of its subjects
}

// headerDeleted marks a message that says that its key was deleted.
const headerDeleted = "Muster-Deleted"

// deletedFor is how long such a message is kept.
const deletedFor = time.Hour

func openBucket(ctx context.Context, l *link, name string) (*bucket, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	b := &bucket{link: l, prefix: "muster.table." + name + "."}
	var err error
	b.stream, err = l.ensure(ctx, jetstream.StreamConfig{
		Name: streamName + "_TABLE_" + name, Subjects: []string{b.prefix + ">"}, Description: "the table " + name,
		Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, Replicas: l.replicas,
	})
	return b, err
}

// each calls do with the last message of every key, oldest first.
func (b *bucket) each(ctx context.Context, do func(ctx context.Context, key string, m *jetstream.RawStreamMsg) error) error {
	next := func(from uint64) (uint64, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		m, err := b.stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(b.prefix+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return m.Sequence + 1, do(ctx, strings.TrimPrefix(m.Subject, b.prefix), m)
	}
	for from := uint64(1); from > 0; {
		var err error
		if from, err = next(from); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucket) all(ctx context.Context) (map[string][]byte, error) {
	all := make(map[string][]byte)
	err := b.each(ctx, func(_ context.Context, key string, m *jetstream.RawStreamMsg) error {
		if m.Header.Get(headerDeleted) == "" {
			all[key] = m.Data
		} else {
			delete(all, key) // it was put when we began to read
		}
		return nil
	})
	return all, err
}

func (b *bucket) put(ctx context.Context, key string, value []byte) error {
	return b.publish(ctx, &nats.Msg{Subject: b.prefix + key, Data: value})
}

func (b *bucket) delete(ctx context.Context, key string) error {
	return b.publish(ctx, &nats.Msg{Subject: b.prefix + key, Header: nats.Header{headerDeleted: {"1"}}})
}

func (b *bucket) publish(ctx context.Context, message *nats.Msg) error {
	// What is begun is finished: whether it is on disk should be known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	_, err := b.link.js.PublishMsg(ctx, message, jetstream.WithExpectStream(b.stream.CachedInfo().Config.Name))
	if err != nil && !isFull(err) {
		b.link.suspect(err)
	}
	return err
}

// clean removes what says of keys that they were deleted before a time.
func (b *bucket) clean(ctx context.Context, before time.Time) error {
	return b.each(ctx, func(ctx context.Context, _ string, m *jetstream.RawStreamMsg) error {
		if m.Header.Get(headerDeleted) == "" || m.Time.After(before) {
			return nil
		}
		err := b.stream.DeleteMsg(ctx, m.Sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			return nil // the key was put again
		}
		return err
	})
}
