package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	writeTimeout = 8 * time.Second // of one attempt
	retryFirst   = 50 * time.Millisecond
	retryMost    = time.Second
)

// group is entries that are to be appended as one message. Each attempt expects the stream to end at base: so in a
// cluster it is there once, however many attempts there are and in which order they arrive.
type group struct {
	entries []Entry
	base    Position
	packed  []byte // nil: not tried yet
}

// write appends a group to the stream. It tries again while the queue can't be used, until its patience ends; after that the
// next groups have one attempt each.
func (q *Queue) write(ctx context.Context, entries []Entry) error {
	g := &group{entries: entries}
	defer q.hold(0)
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := q.attempt(ctx, g)
		if !errors.Is(err, ErrUnavailable) {
			q.failing = time.Time{}
			if err == nil {
				q.appended.give()
			}
			return err
		}
		q.unsure = true
		q.ask()
		if q.failing.IsZero() {
			q.failing = time.Now()
		}
		if time.Since(q.failing) > q.options.Patience {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// attempt tries to append a group once. Errors: ErrFull, ErrTooLarge, ErrUnavailable: then it may have been appended.
func (q *Queue) attempt(ctx context.Context, g *group) error {
	l, err := q.current()
	if err != nil {
		return err
	}
	// What is begun is finished, also while the queue is being closed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if g.packed != nil && l.replicas > 1 {
		if there, err := q.isThere(ctx, l, g); there || err != nil {
			return err
		}
	}
	if q.unsure {
		if err := q.align(ctx, l); err != nil {
			return unavailable("look for the end of the queue", err)
		}
		q.unsure = false
	}
	q.mu.Lock()
	base := q.last
	q.mu.Unlock()
	if g.packed == nil || g.base != base {
		g.base, g.packed = base, q.pack(g.entries, base.Entries+uint64(len(g.entries)))
	}
	if err := l.tooLarge(len(g.packed)); err != nil {
		return err
	}
	q.hold(base.Sequence + 1)
	message := &nats.Msg{Subject: subject, Data: g.packed}
	receipt, err := l.js.PublishMsg(ctx, message, jetstream.WithExpectStream(streamName),
		jetstream.WithExpectLastSequence(base.Sequence), jetstream.WithRetryAttempts(0))
	switch {
	case err == nil:
		q.advance(receipt.Sequence, g)
		return nil
	case isFull(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	l.suspect(err)
	if reason := l.broken(); reason != nil {
		err = reason
	}
	return unavailable("write", err)
}

// isThere reports whether an earlier attempt was successful though its receipt got lost. What a cluster shows was
// agreed on. A single server may show what its disk has refused: there the group is written again, and is there twice
// perhaps.
func (q *Queue) isThere(ctx context.Context, l *link, g *group) (bool, error) {
	message, err := l.stream.GetMsg(ctx, g.base.Sequence+1)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, unavailable("look for what was written", err)
	case !bytes.Equal(message.Data, g.packed):
		return false, nil
	}
	q.advance(message.Sequence, g)
	return true, nil
}

// advance notes that a group is in the stream.
func (q *Queue) advance(sequence uint64, g *group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last = Position{Sequence: sequence, Entries: g.base.Entries + uint64(len(g.entries))}
	q.state.Bytes += int64(len(g.packed))
}

// hold keeps groups from being deleted, from this sequence on, as long as an attempt may have to be compared with them.
func (q *Queue) hold(from uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = from
}

// isFull reports whether JetStream refused a message because there is no room for it.
func isFull(err error) bool {
	var refused *jetstream.APIError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.ErrorCode {
	case codeStreamFull, codeNoResources, codeStorageExceeded:
		return true
	}
	return false
}

// Error codes of JetStream (github.com/nats-io/nats-server, server/errors.json).
const (
	codeStreamFull      jetstream.ErrorCode = 10077 // JSStreamStoreFailedF: a bound of the stream
	codeNoResources     jetstream.ErrorCode = 10023 // JSInsufficientResourcesErr
	codeStorageExceeded jetstream.ErrorCode = 10047 // JSStorageResourcesExceededErr
)
