package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	full, reason := q.state.Full, q.state.Reason
	if q.state.Bytes >= q.options.Size && !full { // since the last look
		full, reason = true, q.sizeReason(q.state.Bytes)
	}
	if !full || p.vital() && !q.starved {
		return nil
	}
	q.state.Refused += uint64(len(p.entries))
	return fmt.Errorf("%w: %s", ErrFull, reason)
}

func (q *Queue) sizeReason(bytes int64) string {
	return fmt.Sprintf("%d MiB wait, of which the configuration allows %d", bytes>>20, q.options.Size>>20)
}

// keep looks after the queue until ctx ends: it starts JetStream again when that has stopped, deletes what all readers
// are done with, and looks whether a bound is reached.
func (q *Queue) keep(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	cleaning := time.NewTicker(deletedFor)
	defer cleaning.Stop()
	var repairing repairs
	for {
		var asked chan struct{}
		select {
		case <-ticker.C:
		case <-q.hurry:
		case asked = <-q.look:
		case <-cleaning.C:
			q.clean(ctx, q.now().Add(-deletedFor))
			continue
		case <-ctx.Done():
			return
		}
		q.repair(ctx, &repairing)
		q.examine(ctx)
		if asked != nil {
			close(asked)
		}
	}
}

// clean removes from the tables what says that something was deleted before a time.
func (q *Queue) clean(ctx context.Context, before time.Time) {
	l, err := q.current()
	if err != nil || !q.hasRoom() {
		return
	}
	l.mu.Lock()
	tables := maps.Clone(l.tables)
	l.mu.Unlock()
	for name, t := range tables {
		if err := t.clean(ctx, before); err != nil {
			q.log.WarnContext(ctx, "a table is not cleaned up: it is tried again in an hour", "table", name, "err", err)
		}
	}
}

// repairs bounds how often a link is replaced that breaks again and again, as on a full disk.
type repairs struct {
	next time.Time     // not before
	wait time.Duration // after the next one
}

const repairMost = 10 * time.Second

// due reports whether a link may be replaced now.
func (r *repairs) due(now time.Time) bool {
	if now.Before(r.next) {
		return false
	}
	if now.Sub(r.next) > 4*repairMost { // it was well for a while
		r.wait = 0
	}
	r.wait = min(max(2*r.wait, lookEvery), repairMost)
	r.next = now.Add(r.wait)
	return true
}

// repair replaces a link that will not work again.
func (q *Queue) repair(ctx context.Context, repairing *repairs) {
	q.mu.Lock()
	broken := q.link
	q.mu.Unlock()
	if broken != nil {
		reason := broken.broken()
		if reason == nil {
			return
		}
		q.log.ErrorContext(ctx, "queue does not work: it is started again", "err", reason)
		q.mu.Lock()
		q.link, q.failure = nil, reason
		q.mu.Unlock()
		if err := broken.close(); err != nil {
			q.giveUp(ctx, err)
		}
	}
	if q.isStuck() || !repairing.due(time.Now()) {
		return
	}
	fresh, err := connect(ctx, q.options)
	if err == nil {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		err = q.align(call, fresh)
		cancel()
		if err != nil {
			err = errors.Join(err, fresh.close())
		}
	}
	if errors.Is(err, ErrStuck) {
		q.giveUp(ctx, err)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.failure = err
		return
	}
	q.link = fresh
}

// giveUp notes that JetStream can't be started again in this process. Of the goroutine that keeps the queue.
func (q *Queue) giveUp(ctx context.Context, err error) {
	q.log.ErrorContext(ctx, "queue can't be started again in this process", "err", err)
	q.mu.Lock()
	q.failure = err
	q.mu.Unlock()
	close(q.stuck)
}

func (q *Queue) isStuck() bool {
	select {
	case <-q.stuck:
		return true
	default:
		return false
	}
}

// examine renews the state and deletes what is done.
func (q *Queue) examine(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := q.observe(call)
	if ctx.Err() != nil && err != nil {
		return // the queue is being closed
	}
	q.mu.Lock()
	was := q.state
	if err != nil { // what was last known is better than nothing
		s = was
		s.Reason = err.Error()
	}
	s.Available = err == nil
	s.Refused = was.Refused
	s.Size, s.MaxAge = q.options.Size, q.options.Age
	q.state = s
	q.starved = q.options.Cluster == nil && s.Free > 0 && s.Free < minFree/2
	begun := was.Size > 0
	q.mu.Unlock()
	switch {
	case was.Available && !s.Available:
		q.log.ErrorContext(ctx, "queue is not available", "err", err)
	case s.Available && !was.Available && begun:
		q.log.InfoContext(ctx, "queue is available again")
	}
	switch {
	case s.Full && !was.Full:
		q.log.ErrorContext(ctx, "queue is full: new reports are refused", "reason", s.Reason)
	case was.Full && !s.Full:
		q.log.InfoContext(ctx, "queue takes reports again")
	}
	if !s.Available || !was.Available {
		q.appended.give() // readers look again, and say so
	}
}

func (q *Queue) observe(ctx context.Context) (State, error) {
	var s State
	l, err := q.current()
	if err != nil {
		return s, err
	}
	q.mu.Lock()
	known := q.last.Sequence
	q.mu.Unlock()
	info, err := l.stream.Info(ctx)
	if err == nil && info.State.LastSeq < known {
		err = q.align(ctx, l)
	}
	if err == nil {
		err = q.writePositions(ctx, l)
	}
	if err == nil {
		err = q.trim(ctx, l)
	}
	if err == nil {
		info, err = l.stream.Info(ctx)
	}
	if err != nil {
		l.miss(err)
		return s, unavailable("look at the queue", err)
	}
	dead, err := l.dead.Info(ctx)
	if err != nil {
		l.miss(err)
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
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // it is missing: the reader will find that
		}
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
		s.Full, s.Reason = true, q.sizeReason(s.Bytes)
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
	if q.held > 0 {
		done = min(done, q.held-1)
	}
	for _, r := range q.readers {
		done = min(done, r.done.Sequence)
	}
	trimmed := l.trimmed
	q.mu.Unlock()
	if done <= trimmed || !q.hasRoom() {
		return nil
	}
	if err := l.stream.Purge(ctx, jetstream.WithPurgeSequence(done+1)); err != nil {
		l.suspect(err)
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l.trimmed = done
	return nil
}

// purgeRoom is how many bytes a disk must have left for a purge. JetStream writes what it deletes, and part of a block anew; where
// it can't, it may hang for ever (see link.close).
const purgeRoom = 16 << 20

func (q *Queue) hasRoom() bool {
	if q.options.Cluster != nil {
		return true
	}
	free, err := q.options.FreeSpace(q.options.Folder)
	return err != nil || free >= purgeRoom
}

func freeSpace(folder string) (uint64, error) {
	usage, err := disk.Usage(folder)
	if err != nil {
		return 0, err
	}
	return usage.Free, nil
}
