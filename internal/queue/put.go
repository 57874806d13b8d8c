package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// put is entries on their way to disk.
type put struct {
	entries []Entry
	size    int
	result  chan error // has room for one
}

// Put appends entries, all or none of them, and returns when they are on disk. Entries that are put at the same time
// share one group. It blocks until then, or until ctx ends: then the entries may be in the queue or not, and whoever
// puts them again puts them twice perhaps.
//
// Errors: ErrFull, ErrUnavailable, ErrTooLarge, or ctx's.
func (q *Queue) Put(ctx context.Context, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	p := &put{entries: entries, result: make(chan error, 1)}
	for i := range entries {
		p.size += entries[i].size()
	}
	select {
	case q.puts <- p:
	case <-q.ended:
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-p.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Entry) size() int { return len(e.Kind) + len(e.ID) + len(e.Data) + 16 }

func (p *put) vital() bool {
	for i := range p.entries {
		if !p.entries[i].Vital {
			return false
		}
	}
	return true
}

// publish writes groups until ctx ends: each holds what came while the one before was on its way.
func (q *Queue) publish(ctx context.Context) {
	var held *put // did not fit into the group before
	for {
		var group []*put
		size := 0
		if held != nil {
			group, size, held = append(group, held), held.size, nil
		} else {
			select {
			case p := <-q.puts:
				group, size = append(group, p), p.size
			case <-ctx.Done():
				return
			}
		}
	gather:
		for size < packBytes {
			select {
			case p := <-q.puts:
				if size+p.size > packBytes {
					held = p
					break gather
				}
				group, size = append(group, p), size+p.size
			default:
				break gather
			}
		}
		q.append(ctx, group)
	}
}

// append writes one group, without those that a bound refuses.
func (q *Queue) append(ctx context.Context, group []*put) {
	taken := group[:0]
	var entries []Entry
	for _, p := range group {
		if err := q.refusal(p); err != nil {
			p.result <- err
			continue
		}
		taken = append(taken, p)
		entries = append(entries, p.entries...)
	}
	if len(entries) == 0 {
		return
	}
	err := q.write(ctx, entries)
	if err == nil {
		q.appended.give()
	}
	for _, p := range taken {
		p.result <- err
	}
}

// write appends a group to the stream. A message that was written without our seeing its receipt is written once: the
// stream knows the id of the second attempt.
func (q *Queue) write(ctx context.Context, entries []Entry) error {
	l, err := q.current()
	if err != nil {
		return err
	}
	q.mu.Lock()
	upTo := q.last.Entries + uint64(len(entries))
	q.mu.Unlock()
	packed := l.pack(entries, upTo)
	if most := l.maxPayload(); int64(len(packed)) > most {
		return fmt.Errorf("%w: %d bytes, of which the message system takes %d: raise its max_payload", ErrTooLarge, len(packed), most)
	}
	message := &nats.Msg{Subject: subject, Data: packed}
	id := nuid.Next()
	var receipt *jetstream.PubAck
	for attempt := range 2 {
		receipt, err = publishOnce(ctx, l, message, id)
		if err == nil || attempt == 1 || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		q.ask()
		if isFull(err) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		return unavailable("write", err)
	}
	q.mu.Lock()
	q.last = Position{Sequence: receipt.Sequence, Entries: upTo}
	q.state.Bytes += int64(len(packed))
	q.mu.Unlock()
	return nil
}

func publishOnce(ctx context.Context, l *link, message *nats.Msg, id string) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return l.js.PublishMsg(ctx, message, jetstream.WithMsgID(id), jetstream.WithExpectStream(streamName))
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
