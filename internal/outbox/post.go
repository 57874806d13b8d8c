package outbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"muster/internal/mail"
)

// Outcome is what became of a digest that was posted.
type Outcome int

// The outcomes of [Outbox.Post].
const (
	Accepted Outcome = iota + 1 // the letter is on disk: what it says is as good as told
	Known                       // it was accepted before, with the same news: what it says is as good as told
	Deferred                    // nothing is kept: the receiver's news waits for a later digest
)

// String returns the outcome in one word.
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Known:
		return "known"
	case Deferred:
		return "deferred"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// Post takes a digest over: it renders it and returns when the letter is on disk. It blocks for the table, one call after
// the other, and never for the mail server; Run sends. In this order:
//
//   - Known if the receiver has a letter of this sweep with this news, whatever has become of it. So a sweep that is
//     evaluated again, after the process was killed, mails nothing again.
//   - Deferred if another letter to this receiver waits still. That includes one of this sweep with other news.
//   - Accepted once it is kept. A digest that makes no letter (see [MaxLetter]) is accepted too, and refused at once: it
//     is logged and shown, and would not be different another time.
//
// An error is mail.ErrEmpty for a digest without items, the table's, or the context's. After the latter two the letter may
// or may not be kept: the digest is to be posted again before its sweep is done with, which is safe.
func (o *Outbox) Post(ctx context.Context, d mail.Digest) (Outcome, error) {
	select {
	case o.posting <- struct{}{}:
		defer func() { <-o.posting }()
	case <-ctx.Done():
		return 0, fmt.Errorf("outbox: mail to %s: %w", d.To, context.Cause(ctx))
	}
	d.To = receiver(d.To)
	if o.Waiting(d.To) && !o.Has(d.To, d.Sweep) {
		return Deferred, nil // it need not even be rendered
	}
	r, err := compose(d, o.now())
	if err != nil {
		return 0, fmt.Errorf("outbox: mail to %s: %w", d.To, err)
	}
	l := &letter{key: keyOf(r.To, d.Sweep), record: r, fresh: r.State == refused}
	outcome, release := o.claim(l)
	if outcome != Accepted {
		return outcome, nil
	}
	defer release()
	if err := o.put(ctx, l); err != nil {
		return 0, fmt.Errorf("outbox: keep the mail to %s: %w", d.To, err)
	}
	o.mu.Lock()
	o.file(l)
	if r.State == refused {
		o.counts.refused++
	}
	o.mu.Unlock()
	if r.State == refused {
		o.logger(l).ErrorContext(ctx, "mail refused, it is not sent again", "err", r.Error, "advice", r.Advice)
	}
	o.nudge()
	return Accepted, nil
}

// claim decides what becomes of a letter. If it is to be kept, the one that has its key stays as it is until release.
func (o *Outbox) claim(l *letter) (outcome Outcome, release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.letters[l.key]
	switch {
	case old != nil && old.Message == l.Message:
		return Known, nil
	case old != nil && (old.busy || old.unsaved), o.waiting(l.To):
		return Deferred, nil
	case old == nil:
		return Accepted, func() {}
	}
	old.busy = true
	return Accepted, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		old.busy = false
	}
}

// put writes a new letter. One to the same receiver that may be in the table, though its Put failed, is taken out before:
// its news is in the new one.
func (o *Outbox) put(ctx context.Context, l *letter) error {
	value, err := l.encode()
	if err != nil {
		return err
	}
	o.mu.Lock()
	doubtful := o.doubtful[l.To]
	o.mu.Unlock()
	if doubtful != "" && doubtful != l.key {
		if err := o.table.Delete(ctx, doubtful); err != nil {
			return err
		}
	}
	err = o.table.Put(ctx, l.key, value)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.doubtful[l.To] = l.key
		return err
	}
	delete(o.doubtful, l.To)
	return nil
}

// Has reports whether the receiver has a letter of this sweep, whatever has become of it.
func (o *Outbox) Has(to string, sweep time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.letters[keyOf(receiver(to), sweep)] != nil
}

// Waiting reports whether a letter to the receiver waits. Post of another sweep's digest is Deferred then: whoever asks
// before composing it, and asks Has too, saves the work.
func (o *Outbox) Waiting(to string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting(receiver(to))
}

// waiting is Waiting. mu is held.
func (o *Outbox) waiting(to string) bool {
	for _, l := range o.receivers[to] {
		if l.State == waits {
			return true
		}
	}
	return false
}

// receiver returns an address as it is kept: JSON has no invalid UTF-8.
func receiver(to string) string { return strings.ToValidUTF8(to, "\uFFFD") }
