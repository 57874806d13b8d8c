package outbox

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"muster/internal/mail"
)

// PerConnection is how many letters go over one connection, and so how many at most are sent twice where the process is
// killed between the server's answers and their records.
const PerConnection = 20

// Pauses before something is tried again: doubled each time, and shorter by up to a fifth, so that several servers do not
// ask a mail server that has come back at the same moment.
const (
	retryFirst = 15 * time.Second
	retryMost  = 10 * time.Minute
	doubtMost  = time.Hour // after an attempt whose outcome is uncertain: each further one may be a copy for the receiver
	writeFirst = time.Second
	writeMost  = time.Minute
)

// stopGrace is how long a connection may go on when Run is told to stop: what is cut off may have been accepted.
const stopGrace = 5 * time.Second

// writeTimeout bounds the writing of what became of the letters of a connection.
const writeTimeout = 10 * time.Second

// trouble is something that does not work at present.
type trouble struct {
	attempts int       // that failed in a row; 0: it works
	since    time.Time // the first of them
	next     time.Time // when it is tried again; zero: at once
	err      error     // of the last attempt
}

func (t *trouble) failed(err error, first, most time.Duration) {
	now := time.Now()
	if t.attempts == 0 {
		t.since = now
	}
	t.attempts++
	t.next, t.err = now.Add(pause(t.attempts, first, most)), err
}

// pause returns how long to wait after so many attempts.
func pause(attempts int, first, most time.Duration) time.Duration {
	wait := first
	for i := 1; i < attempts && wait < most; i++ {
		wait *= 2
	}
	wait = min(wait, most)
	return wait - time.Duration(rand.Float64()*float64(wait)/5) //nolint:gosec // no secret is made of it
}

// Run sends what waits, until ctx ends: at once what is posted and what was left by the process before, later what was
// not accepted. It returns when nothing of it runs any more. A connection under way when ctx ends gets five seconds to end
// well, and what became of its letters is written. There is one Run at a time: another waits for it to return.
func (o *Outbox) Run(ctx context.Context) {
	select {
	case o.running <- struct{}{}:
		defer func() { <-o.running }()
	case <-ctx.Done():
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-timer.C:
		case <-o.wake:
		case <-ctx.Done():
			continue
		}
		for ctx.Err() == nil {
			o.write(ctx)
			batch := o.due(time.Now())
			if len(batch) == 0 {
				break
			}
			o.send(ctx, batch)
		}
		o.forget(ctx)
		timer.Reset(o.idle())
	}
	o.mu.Lock()
	o.unwritten.next = time.Time{}
	o.mu.Unlock()
	o.write(ctx)
}

// due returns the letters to send over the next connection, oldest first.
func (o *Outbox) due(now time.Time) []*letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away.next.After(now) {
		return nil
	}
	var batch []*letter
	for _, l := range o.letters {
		if l.State == waits && !l.next.After(now) {
			batch = append(batch, l)
		}
	}
	slices.SortFunc(batch, byAge)
	return batch[:min(len(batch), PerConnection)]
}

// idle returns how long there is nothing to do unless something is posted.
func (o *Outbox) idle() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	wait := o.forgetAt.Sub(now)
	for _, l := range o.letters {
		switch {
		case l.State == waits:
			wait = min(wait, max(l.next.Sub(now), o.away.next.Sub(now)))
		case l.unsaved:
			wait = min(wait, o.unwritten.next.Sub(now))
		}
	}
	return max(wait, 0)
}

// send hands letters over one connection and notes what became of them.
func (o *Outbox) send(ctx context.Context, batch []*letter) {
	messages := make([]mail.Message, len(batch))
	o.mu.Lock()
	for i, l := range batch {
		messages[i] = l.message()
		if l.tried > 0 {
			o.counts.retries++
		}
	}
	o.mu.Unlock()
	lenient, release := linger(ctx, stopGrace)
	err := o.sender.Send(lenient, messages...)
	stopped := lenient.Err() != nil
	release()
	outcomes := outcomesOf(err, len(batch))
	if stopped {
		o.stopped(ctx, batch, outcomes)
		return
	}
	lost := o.reached(ctx, outcomes)
	for i, l := range batch {
		o.conclude(ctx, l, outcomes[i], lost)
	}
	if lost != nil {
		o.hold(ctx, lost)
	}
	o.mu.Lock()
	o.announce()
	o.mu.Unlock()
}

// linger returns a context that ends some time after ctx does, or with release, after which nothing of it runs.
func linger(ctx context.Context, grace time.Duration) (lenient context.Context, release func()) {
	lenient, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-lenient.Done():
		}
	})
	return lenient, func() {
		cancel(nil)
		if !stop() {
			<-ended
		}
	}
}
