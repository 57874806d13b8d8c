package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// takeUp learns where the stream ends and how far the readers have got.
func (q *Queue) takeUp(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known, err := readCursors(ctx, l)
	if err != nil {
		return err
	}
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	begin, err := q.beginning(ctx, l.stream, info.State)
	if err != nil {
		return err
	}
	q.mu.Lock()
	for name, r := range q.readers {
		p, ok := known[name]
		if !ok {
			p = begin
		}
		r.done, r.next = p, p.Sequence+1
		q.last.Entries = max(q.last.Entries, p.Entries)
	}
	for _, p := range known { // of readers that are no more, too
		q.last.Entries = max(q.last.Entries, p.Entries)
	}
	q.mu.Unlock()
	return q.align(ctx, l)
}

// beginning returns the position before everything that is in the stream.
func (q *Queue) beginning(ctx context.Context, stream jetstream.Stream, s jetstream.StreamState) (Position, error) {
	if s.Msgs == 0 {
		return Position{Sequence: s.LastSeq}, nil
	}
	p := Position{Sequence: s.FirstSeq - 1}
	message, err := stream.GetMsg(ctx, s.FirstSeq)
	if err != nil {
		return p, err
	}
	if entries, upTo, err := q.open(message.Data); err == nil { // otherwise the reader finds it, and says so
		p.Entries = upTo - uint64(len(entries))
	}
	return p, nil
}

// align makes what we know of the stream's end what it is. It may hold a group more than we know of, whose receipt got
// lost. Where it holds less, because a disk lost what it had synced, or somebody has made the stream anew, the readers go
// back: a position beyond the end would hide what comes next from them.
func (q *Queue) align(ctx context.Context, l *link) error {
	end, err := endOf(ctx, l.stream)
	if err != nil {
		return err
	}
	q.mu.Lock()
	if end.Sequence < q.last.Sequence {
		q.log.Error("messages are missing at the end of the queue: its disk lost them, or somebody deleted them",
			"from", end.Sequence+1, "to", q.last.Sequence)
	}
	l.trimmed = min(l.trimmed, end.Sequence)
	q.last = Position{Sequence: end.Sequence, Entries: max(end.Entries, q.last.Entries)}
	for name, r := range q.readers {
		if r.done.Sequence > end.Sequence {
			q.log.Warn("a reader's position was beyond the end of the queue", "reader", name, "position", r.done.Sequence,
				"end", end.Sequence)
			r.done.Sequence, r.unwritten = end.Sequence, true
		}
		if r.next > end.Sequence+1 || r.unwritten {
			r.next = min(r.next, end.Sequence+1)
			r.epoch++
		}
	}
	q.mu.Unlock()
	return q.writePositions(ctx, l)
}

// writePositions writes the positions that align has changed.
func (q *Queue) writePositions(ctx context.Context, l *link) error {
	for name, r := range q.readers {
		q.mu.Lock()
		p, unwritten := r.done, r.unwritten
		q.mu.Unlock()
		if !unwritten {
			continue
		}
		if err := writeCursor(ctx, l, name, p); err != nil {
			return err
		}
		q.mu.Lock()
		r.unwritten = r.done != p
		q.mu.Unlock()
	}
	return nil
}

// endOf returns the position of the last group of the stream. Its Entries are 0 where nothing says how many.
func endOf(ctx context.Context, stream jetstream.Stream) (Position, error) {
	info, err := stream.Info(ctx)
	if err != nil {
		return Position{}, err
	}
	p := Position{Sequence: info.State.LastSeq}
	if info.State.Msgs == 0 {
		return p, nil
	}
	message, err := stream.GetMsg(ctx, p.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if upTo, _, err := packHeader(message.Data); err == nil {
		p.Entries = upTo
	}
	return p, nil
}

func readCursors(ctx context.Context, l *link) (map[string]Position, error) {
	t, err := l.table(ctx, cursorTable)
	if err != nil {
		return nil, err
	}
	all, err := t.all(ctx)
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

func writeCursor(ctx context.Context, l *link, name string, p Position) error {
	record, err := json.Marshal(p)
	if err != nil {
		return err
	}
	t, err := l.table(ctx, cursorTable)
	if err != nil {
		return err
	}
	return t.put(ctx, name, record)
}
