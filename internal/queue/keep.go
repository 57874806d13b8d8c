package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/shirou/gopsutil/v4/disk"
)

// State is what is known of a queue.
type State struct {
	Available bool          // JetStream answers
	Reason    string        // why it does not, or why entries are refused
	Full      bool          // new entries are refused
	Bytes     int64         // on disk, compressed
	Size      int64         // how many there may be
	MaxAge    time.Duration // how old what waits may get
	Free      uint64        // bytes the disk has left; 0 for a cluster's
	Refused   uint64        // entries refused since the queue was opened
	Dead      uint64        // dead letters
	Readers   map[string]Backlog
}

// Backlog is what a reader has not done yet.
type Backlog struct {
	Entries uint64
	Oldest  time.Time // when the oldest of them was put; zero if there is none
}

// State returns what is known of the queue, as of a second ago at most. It does not block.
func (q *Queue) State() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.state
	s.Readers = make(map[string]Backlog, len(q.readers))
	for name, r := range q.readers {
		waiting := q.last.Entries - min(q.last.Entries, r.done.Entries)
		b := Backlog{Entries: waiting}
		if waiting > 0 {
			b.Oldest = q.state.Readers[name].Oldest
		}
		s.Readers[name] = b
	}
	return s
}

// Look renews the state, and returns when that is done or ctx ends.
func (q *Queue) Look(ctx context.Context) error {
	asked := make(chan struct{})
	select {
	case q.look <- asked:
	case <-q.ended:
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-asked:
		return nil
	case <-q.ended:
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refusal says why entries are not taken; nil: they are.
func (q *Queue) refusal(p *put) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.state.Full || p.vital() {
		return nil
	}
	q.state.Refused += uint64(len(p.entries))
	return fmt.Errorf("%w: %s", ErrFull, q.state.Reason)
}

// keep looks after the queue until ctx ends: it starts JetStream again when that has stopped, deletes what all readers
// are done with, and looks whether a bound is reached.
func (q *Queue) keep(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		var asked chan struct{}
		select {
		case <-ticker.C:
		case <-q.hurry:
		case asked = <-q.look:
		case <-ctx.Done():
			return
		}
		q.repair(ctx)
		q.examine(ctx)
		if asked != nil {
			close(asked)
		}
	}
}

// repair replaces a link that will not work again.
func (q *Queue) repair(ctx context.Context) {
	q.mu.Lock()
	l := q.link
	if l != nil && !l.broken() {
		q.mu.Unlock()
		return
	}
	q.link = nil
	if l != nil {
		q.failure = fmt.Errorf("JetStream has stopped: see the log")
	}
	q.mu.Unlock()
	if l != nil {
		q.log.Error("queue is not available: it is started again")
		l.close()
	}
	fresh, err := connect(ctx, q.options)
	if err == nil {
		if err = q.resume(ctx, fresh); err != nil {
			fresh.close()
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.failure = err
		return
	}
	q.link = fresh
	q.log.Info("queue is available again")
}

// resume compares what is in a stream that was opened again with what was known of it.
func (q *Queue) resume(ctx context.Context, l *link) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	last := info.State.LastSeq
	if last < q.last.Sequence {
		q.log.Error("messages are missing at the end of the queue: the disk lost them", "from", last+1, "to", q.last.Sequence)
		for _, r := range q.readers {
			r.done.Sequence = min(r.done.Sequence, last)
		}
	}
	// More than we know of: a message was written without our seeing its receipt. It is read like the others.
	q.last.Sequence = last
	return nil
}

// examine renews the state and deletes what is done.
func (q *Queue) examine(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := q.observe(ctx)
	if ctx.Err() != nil && err != nil {
		return
	}
	q.mu.Lock()
	s.Refused = q.state.Refused
	s.Size, s.MaxAge = q.options.Size, q.options.Age
	s.Available = err == nil
	if err != nil {
		s.Reason = err.Error()
	}
	was := q.state
	q.state = s
	q.mu.Unlock()
	switch {
	case s.Full && !was.Full:
		q.log.ErrorContext(ctx, "queue is full: new reports are refused", "reason", s.Reason)
	case was.Full && !s.Full && s.Available:
		q.log.InfoContext(ctx, "queue takes reports again")
	}
	if s.Full || !s.Available {
		q.appended.give() // readers look again
	}
}

func (q *Queue) observe(ctx context.Context) (State, error) {
	var s State
	l, err := q.current()
	if err != nil {
		return s, err
	}
	if err := q.trim(ctx, l); err != nil {
		return s, unavailable("delete what is done", err)
	}
	info, err := l.stream.Info(ctx)
	if err != nil {
		return s, unavailable("look at the queue", err)
	}
	dead, err := l.dead.Info(ctx)
	if err != nil {
		return s, unavailable("look at the dead letters", err)
	}
	s.Bytes, s.Dead = int64(info.State.Bytes), dead.State.Msgs
	if s.Readers, err = q.backlogs(ctx, l); err != nil {
		return s, unavailable("look at the queue", err)
	}
	q.judge(&s)
	return s, nil
}

// backlogs finds the oldest entry that each reader has before it.
func (q *Queue) backlogs(ctx context.Context, l *link) (map[string]Backlog, error) {
	backlogs := make(map[string]Backlog, len(q.readers))
	for name, r := range q.readers {
		q.mu.Lock()
		done, last := r.done.Sequence, q.last.Sequence
		q.mu.Unlock()
		if done >= last {
			continue
		}
		message, err := l.stream.GetMsg(ctx, done+1, jetstream.WithGetMsgSubject(subject))
		if err != nil {
			return nil, err
		}
		backlogs[name] = Backlog{Oldest: message.Time}
	}
	return backlogs, nil
}

// judge decides whether a bound is reached.
func (q *Queue) judge(s *State) {
	if q.options.Cluster == nil {
		if free, err := q.options.FreeSpace(q.options.Folder); err == nil {
			s.Free = free
			if free < minFree {
				s.Full, s.Reason = true, fmt.Sprintf("the disk of %s has %d MiB left, less than %d", q.options.Folder, free>>20, minFree>>20)
			}
		}
	}
	if s.Bytes >= q.options.Size {
		s.Full, s.Reason = true, fmt.Sprintf("%d MiB wait, of which the configuration allows %d", s.Bytes>>20, q.options.Size>>20)
	}
	for name, b := range s.Readers {
		if age := q.now().Sub(b.Oldest); !b.Oldest.IsZero() && age >= q.options.Age {
			s.Full, s.Reason = true, fmt.Sprintf("the oldest entry waits for %s since %s, which is longer than the configuration allows",
				name, b.Oldest.UTC().Format(time.RFC3339))
		}
	}
}

// trim deletes the groups that all readers are done with.
func (q *Queue) trim(ctx context.Context, l *link) error {
	q.mu.Lock()
	done := q.last.Sequence
	for _, r := range q.readers {
		done = min(done, r.done.Sequence)
	}
	trimmed := l.trimmed
	q.mu.Unlock()
	if done == trimmed {
		return nil
	}
	if err := l.stream.Purge(ctx, jetstream.WithPurgeSequence(done+1)); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l.trimmed = done
	return nil
}

func freeSpace(folder string) (uint64, error) {
	usage, err := disk.Usage(folder)
	if err != nil {
		return 0, err
	}
	return usage.Free, nil
}
