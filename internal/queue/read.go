package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Reader reads the queue from the position at which its work was done last. It has one user at a time.
type Reader struct {
	queue *Queue
	name  string

	// Guarded by the queue's mu.
	done Position // work is done up to here

	next uint64 // the sequence that is read next
}

// Reader returns the reader of this name, which must be one of the Options'.
func (q *Queue) Reader(name string) (*Reader, error) {
	r, ok := q.readers[name]
	if !ok {
		return nil, fmt.Errorf("the queue has no reader %q", name)
	}
	return r, nil
}

// at puts the reader to a position. The queue's mu is held.
func (r *Reader) at(p Position) {
	r.done = p
	r.next = p.Sequence + 1
}

// Next returns the entries that follow those that it returned before, in the order of the stream: all that wait, whole
// groups, until they have the given number of bytes. It blocks until there is one, or ctx ends. A group that can't be
// unpacked is a dead letter; Next goes on behind it.
//
// Errors: ErrUnavailable, or ctx's. Nothing is lost then: the next call reads the same.
func (r *Reader) Next(ctx context.Context, bytes int) ([]Entry, error) {
	var entries []Entry
	for size := 0; ; {
		appended := r.queue.appended.wait()
		group, packed, err := r.read(ctx)
		if err != nil && len(entries) == 0 {
			return nil, err
		}
		if packed > 0 && err == nil {
			entries = append(entries, group...)
			for i := range group {
				size += group[i].size()
			}
			r.next++
			if size < bytes || len(entries) == 0 {
				continue
			}
		}
		if len(entries) > 0 {
			return entries, nil
		}
		select {
		case <-appended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// read returns the next group and its size; 0 if there is none yet.
func (r *Reader) read(ctx context.Context) ([]Entry, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	r.queue.mu.Lock()
	end := r.queue.last.Sequence
	r.queue.mu.Unlock()
	if r.next > end {
		return nil, 0, nil
	}
	l, err := r.queue.current()
	if err != nil {
		return nil, 0, err
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	message, err := l.stream.GetMsg(call, r.next)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, r.missing(call, l)
	}
	if err != nil {
		r.queue.ask()
		return nil, 0, unavailable("read", err)
	}
	upTo, _, err := packHeader(message.Data)
	var entries []Entry
	if err == nil {
		entries, err = l.unpack(message.Data)
	}
	if err != nil {
		r.queue.log.Error("a group of the queue is damaged: it becomes a dead letter", "sequence", r.next, "err", err)
		damaged := Entry{Kind: kindDamaged, ID: fmt.Sprint(r.next), Data: message.Data}
		if err := r.queue.Bury(ctx, damaged, err.Error()); err != nil {
			return nil, 0, err
		}
	}
	for i := range entries {
		entries[i].Position = Position{Sequence: r.next, Entries: upTo}
		entries[i].Number = upTo - uint64(len(entries)-1-i)
		entries[i].Stored = message.Time
	}
	return entries, max(1, len(message.Data)), nil
}

// missing goes on behind messages that are not in the stream though nobody but us deletes any.
func (r *Reader) missing(ctx context.Context, l *link) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return unavailable("read", err)
	}
	from, to := r.next, max(r.next+1, info.State.FirstSeq)
	if info.State.Msgs == 0 {
		to = info.State.LastSeq + 1
	}
	if to <= from {
		return unavailable("read", jetstream.ErrMsgNotFound)
	}
	r.queue.log.Error("messages are missing in the queue: somebody else deleted them, or the disk lost them",
		"reader", r.name, "from", from, "to", to-1)
	r.next = to
	return fmt.Errorf("%w: messages %d to %d are missing", ErrUnavailable, from, to-1)
}

// Done notes that the work on all entries up to and with this position is done, and returns when that is on disk.
//
// Errors: ErrUnavailable, or ctx's. The work may then be done again, after a restart.
func (r *Reader) Done(ctx context.Context, p Position) error {
	l, err := r.queue.current()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	cursors, err := l.table(ctx, cursorTable)
	if err != nil {
		return unavailable("note a position", err)
	}
	record, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if _, err := cursors.Put(ctx, r.name, record); err != nil {
		r.queue.ask()
		return unavailable("note a position", err)
	}
	r.queue.mu.Lock()
	r.done = p
	r.queue.mu.Unlock()
	r.queue.passed.give()
	return nil
}

// Wait blocks until the work on everything that was put before the call is done, or ctx ends.
func (r *Reader) Wait(ctx context.Context) error {
	r.queue.mu.Lock()
	end := r.queue.last.Sequence
	r.queue.mu.Unlock()
	for {
		passed := r.queue.passed.wait()
		r.queue.mu.Lock()
		done := r.done.Sequence
		r.queue.mu.Unlock()
		if done >= end {
			return nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func readCursors(ctx context.Context, table jetstream.KeyValue) (map[string]Position, error) {
	all, err := readAll(ctx, table)
	if err != nil {
		return nil, err
	}
	known := make(map[string]Position, len(all))
	for name, record := range all {
		var p Position
		if err := json.Unmarshal(record, &p); err != nil {
			return nil, fmt.Errorf("the position of reader %q: %w", name, err)
		}
		known[name] = p
	}
	return known, nil
}

// entriesUpTo returns how many entries there were up to the end of a message.
func entriesUpTo(ctx context.Context, stream jetstream.Stream, sequence uint64) (uint64, error) {
	message, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	upTo, _, err := packHeader(message.Data)
	if err != nil {
		return 0, nil // the reader finds it, and says so
	}
	return upTo, nil
}
