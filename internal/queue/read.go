package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Reader reads the queue from the position at which its work was done last. It has one user at a time.
type Reader struct {
	queue *Queue
	name  string

	// Guarded by the queue's mu.
	done      Position // work is done up to here
	next      uint64   // the sequence that is read next
	epoch     uint64   // counts how often align has put the reader back
	unwritten bool     // align has changed done, and that is not on disk yet

	returned uint64 // the epoch in which Next returned
}

// Reader returns the reader of this name, which must be one of the Options'.
func (q *Queue) Reader(name string) (*Reader, error) {
	r, ok := q.readers[name]
	if !ok {
		return nil, fmt.Errorf("the queue has no reader %q", name)
	}
	return r, nil
}

// Backlog returns what the reader has not done yet, as State has it.
func (r *Reader) Backlog() Backlog { return r.queue.State().Readers[r.name] }

// Next returns the entries that follow those that it returned before, in the order of the stream: all that wait, whole
// groups, until they have the given number of bytes. It blocks until there is one, or ctx ends. A group that can't be
// unpacked is a dead letter; Next goes on behind it.
//
// Errors: ErrUnavailable, or ctx's. Nothing is lost then: the next call reads the same.
func (r *Reader) Next(ctx context.Context, bytes int) ([]Entry, error) {
	var entries []Entry
	epoch, size := uint64(0), 0
	for {
		appended := r.queue.appended.wait()
		at, now, end := r.place()
		if now != epoch {
			entries, epoch, size = nil, now, 0 // these may be what is missing now
		}
		if at <= end {
			group, err := r.read(ctx, at)
			if err != nil && len(entries) == 0 {
				return nil, err
			}
			if err == nil && r.pass(at, epoch) {
				entries = append(entries, group...)
				for i := range group {
					size += group[i].size()
				}
				if size < bytes {
					continue
				}
			}
		}
		if len(entries) > 0 {
			r.returned = epoch
			return entries, nil
		}
		if at <= end && ctx.Err() == nil {
			continue
		}
		select {
		case <-appended:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.queue.ended:
			return nil, fmt.Errorf("%w: it is closed", ErrUnavailable)
		}
	}
}

// Again has Next return once more what it returned and no work is done on. It is for a user who takes over from another
// one that has stopped in the middle, and is called while nobody is in Next or Done.
func (r *Reader) Again() {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.next = r.done.Sequence + 1
}

// place returns what is read next, the epoch, and where the stream ends.
func (r *Reader) place() (next, epoch, end uint64) {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	return r.next, r.epoch, r.queue.last.Sequence
}

// pass goes on behind a group; false if the reader was put back since the epoch.
func (r *Reader) pass(sequence, epoch uint64) bool {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	if r.epoch != epoch {
		return false
	}
	r.next = sequence + 1
	return true
}

// read returns a group. It is empty where it is damaged.
func (r *Reader) read(ctx context.Context, sequence uint64) ([]Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := r.queue.current()
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	message, err := l.stream.GetMsg(call, sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, r.missing(call, l, sequence)
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		r.queue.ask()
		return nil, unavailable("read", err)
	}
	entries, upTo, err := r.queue.open(message.Data)
	if err != nil {
		r.queue.log.ErrorContext(ctx, "a group of the queue is damaged: it becomes a dead letter", "sequence", sequence, "err", err)
		damaged := Entry{Kind: kindDamaged, ID: fmt.Sprint(sequence), Data: message.Data, Number: sequence}
		if err := r.queue.Bury(ctx, damaged, err.Error()); err != nil {
			return nil, err
		}
		return nil, r.skip(call, l, sequence, sequence, upTo)
	}
	for i := range entries {
		entries[i].Position = Position{Sequence: sequence, Entries: upTo}
		entries[i].Number = upTo - uint64(len(entries)-1-i)
		entries[i].Stored = message.Time
	}
	return entries, nil
}

// open unpacks a group, and returns how many entries there were up to its end.
func (q *Queue) open(packed []byte) ([]Entry, uint64, error) {
	upTo, _, err := packHeader(packed)
	if err != nil {
		return nil, 0, err
	}
	entries, err := q.unpack(packed)
	if err == nil && uint64(len(entries)) > upTo {
		return nil, 0, fmt.Errorf("%w: its number is wrong", errPack)
	}
	return entries, upTo, err
}

// missing goes on behind messages that are not in the stream though nobody but us deletes any.
func (r *Reader) missing(ctx context.Context, l *link, sequence uint64) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return unavailable("read", err)
	}
	if info.State.LastSeq < sequence {
		r.queue.ask() // it is aligned, or the server that answers has yet to hear of them
		return unavailable("read", jetstream.ErrMsgNotFound)
	}
	to := max(sequence, info.State.FirstSeq-1)
	r.queue.log.ErrorContext(ctx, "messages are missing in the queue: somebody else deleted them, or the disk lost them",
		"reader", r.name, "from", sequence, "to", to)
	if err := r.skip(ctx, l, sequence, to, 0); err != nil {
		return err
	}
	return fmt.Errorf("%w: messages %d to %d are missing", ErrUnavailable, sequence, to)
}

// skip goes on behind what can't be read. Where nothing before it is being worked on, its position is done, too: nobody
// else would say so.
func (r *Reader) skip(ctx context.Context, l *link, from, to, upTo uint64) error {
	r.queue.mu.Lock()
	if r.next == from {
		r.next = to + 1
	}
	alone := r.done.Sequence+1 == from
	p := Position{Sequence: to, Entries: max(upTo, r.done.Entries)}
	if to == r.queue.last.Sequence {
		p.Entries = r.queue.last.Entries
	}
	epoch := r.epoch
	r.queue.mu.Unlock()
	if !alone {
		return nil
	}
	return r.note(ctx, l, p, epoch)
}

// Done notes that the work on all entries up to and with this position is done, and returns when that is on disk.
//
// Errors: ErrUnavailable, or ctx's. The work may then be done again, after a restart.
func (r *Reader) Done(ctx context.Context, p Position) error {
	l, err := r.queue.current()
	if err != nil {
		return err
	}
	if err := r.note(ctx, l, p, r.returned); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.miss(err)
		r.queue.ask()
		return unavailable("note a position", err)
	}
	return nil
}

// note writes a position that was reached in an epoch. In a later one the stream is another: what comes at that place was
// not read.
func (r *Reader) note(ctx context.Context, l *link, p Position, epoch uint64) error {
	r.queue.mu.Lock()
	current := r.epoch == epoch
	r.queue.mu.Unlock()
	if !current {
		return nil
	}
	if err := writeCursor(ctx, l, r.name, p); err != nil {
		return err
	}
	r.queue.mu.Lock()
	if r.epoch == epoch {
		r.done = p
	} else {
		r.unwritten = true
	}
	r.queue.mu.Unlock()
	r.queue.passed.give()
	return nil
}

// Wait blocks until the work on everything that was put before the call is done, or ctx ends, or the queue is closed.
func (r *Reader) Wait(ctx context.Context) error {
	_, _, end := r.place()
	for {
		passed := r.queue.passed.wait()
		r.queue.mu.Lock()
		done := r.done.Sequence
		end = min(end, r.queue.last.Sequence) // what is missing is not waited for
		r.queue.mu.Unlock()
		if done >= end {
			return nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.queue.ended:
			return fmt.Errorf("%w: it is closed", ErrUnavailable)
		}
	}
}
