package outbox

import (
	"context"
	"slices"
	"time"
)

// How long letters are remembered after they came to their end, by the clock that they are dated by. A sent one is there
// so that a sweep which is evaluated again does not mail it again, a refused one so that a person sees it.
const (
	KeepSent    = 7 * 24 * time.Hour
	KeepRefused = 30 * 24 * time.Hour
)

// KeepPerReceiver is how many sent and how many refused letters of a receiver are remembered, the newest.
const KeepPerReceiver = 20

const (
	forgetEvery = time.Hour
	forgetMost  = 100         // letters at once: others wait to be sent
	forgetSoon  = time.Minute // after a failure, or where there are more
)

// write puts into the table what became of letters. What it can't write it tries again later; it is known until then, and
// not sent again by this process. It goes on when ctx ends.
func (o *Outbox) write(ctx context.Context) {
	o.mu.Lock()
	var ended []*letter
	if !o.unwritten.next.After(time.Now()) {
		for _, l := range o.letters {
			if l.unsaved {
				ended = append(ended, l)
			}
		}
	}
	o.mu.Unlock()
	if len(ended) == 0 {
		return
	}
	slices.SortFunc(ended, byAge)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	var failed error
	left := 0
	for _, l := range ended {
		value, err := l.encode()
		if err == nil {
			err = o.table.Put(ctx, l.key, value)
		}
		o.mu.Lock()
		l.written++
		l.unsaved = err != nil
		o.mu.Unlock()
		if err != nil {
			failed = err
			left++
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.announce()
	if failed == nil {
		o.unwritten = trouble{}
		return
	}
	o.unwritten.failed(failed, writeFirst, writeMost)
	o.log.ErrorContext(ctx, "mails were sent or refused and that is not on disk yet: if the process ends now they are sent again",
		"mails", left, "err", failed, "again", time.Until(o.unwritten.next).Round(time.Millisecond))
}

// forget removes letters that came to their end long ago, or of which a receiver has too many.
func (o *Outbox) forget(ctx context.Context) {
	o.mu.Lock()
	now := time.Now()
	if o.forgetAt.After(now) && !o.crowded {
		o.mu.Unlock()
		return
	}
	o.crowded = false
	old := o.old()
	o.forgetAt = now.Add(forgetEvery)
	if len(old) > forgetMost {
		old = old[:forgetMost]
		o.forgetAt = now.Add(forgetSoon)
	}
	for _, l := range old {
		l.busy = true
	}
	o.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var failed error
	for _, l := range old {
		if failed == nil {
			failed = o.table.Delete(bounded, l.key)
		}
		o.mu.Lock()
		l.busy = false
		if failed == nil {
			o.remove(l)
		}
		o.mu.Unlock()
	}
	if failed != nil && ctx.Err() == nil {
		o.mu.Lock()
		o.forgetAt = now.Add(forgetSoon)
		o.mu.Unlock()
		o.log.WarnContext(ctx, "old mails can't be forgotten yet", "err", failed)
	}
}

// old returns the letters to forget, oldest first. mu is held.
func (o *Outbox) old() []*letter {
	now := o.now()
	var old []*letter
	for _, letters := range o.receivers {
		newer := make(map[string]int, 2) // by state
		for _, l := range slices.Backward(letters) {
			if l.State == waits || l.busy || l.unsaved {
				continue
			}
			newer[l.State]++
			age := now.Sub(l.Done)
			if l.State == sent && age >= KeepSent || l.State == refused && age >= KeepRefused ||
				newer[l.State] > KeepPerReceiver && !l.foreign {
				old = append(old, l)
			}
		}
	}
	slices.SortFunc(old, byAge)
	return old
}
