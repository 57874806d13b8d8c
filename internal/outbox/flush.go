package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxNamed is how many letters an error names.
const maxNamed = 10

// pending is a letter that Flush waits for, and what had been tried when it began.
type pending struct {
	*letter
	tried, written int
}

// settled reports whether there is nothing more to wait for. mu is held.
func (p *pending) settled() bool {
	return !(p.State == waits && p.letter.tried == p.tried) && !(p.unsaved && p.letter.written == p.written)
}

// Flush has everything that waits tried at once, and blocks until each letter posted before was sent, refused or tried at
// least once, and until that is on disk or could not be written. Run has to run meanwhile.
//
// It returns nil if all were sent. Otherwise the error names receivers, causes and advice, of letters that wait still and
// of those that were refused since New or the Flush before; it wraps their [*mail.Error]s where this process has them. If
// ctx ends first the error wraps its cause.
func (o *Outbox) Flush(ctx context.Context) error {
	o.mu.Lock()
	var letters []*pending
	for _, l := range o.letters {
		if l.State == waits || l.unsaved {
			l.next = time.Time{}
			letters = append(letters, &pending{l, l.tried, l.written})
		}
	}
	slices.SortFunc(letters, func(a, b *pending) int { return byAge(a.letter, b.letter) })
	o.away.next, o.unwritten.next = time.Time{}, time.Time{}
	o.mu.Unlock()
	o.nudge()
	for {
		o.mu.Lock()
		changed := o.changed
		settled := !slices.ContainsFunc(letters, func(p *pending) bool { return !p.settled() })
		o.mu.Unlock()
		if settled {
			return o.report(letters, nil)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return o.report(letters, context.Cause(ctx))
		}
	}
}

// Hurry has everything that waits tried at once: the mail server may be another one.
func (o *Outbox) Hurry() {
	o.mu.Lock()
	for _, l := range o.letters {
		if l.State == waits {
			l.next = time.Time{}
		}
	}
	o.away.next, o.unwritten.next = time.Time{}, time.Time{}
	o.mu.Unlock()
	o.nudge()
}

// report returns what Flush has to say of letters; stopped is why it did not wait for them.
func (o *Outbox) report(letters []*pending, stopped error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var failures []error
	for _, p := range letters {
		switch {
		case p.State == waits && p.letter.tried == p.tried:
			failures = append(failures, fmt.Errorf("mail to %s is not sent yet: %w", p.To, stopped))
		case p.State == waits:
			failures = append(failures, fmt.Errorf("mail to %s is not sent yet: %w; %s", p.To, p.err, p.err.Help()))
		case p.unsaved && o.unwritten.err != nil:
			failures = append(failures, fmt.Errorf("mail to %s is %s, and that is not on disk: %w", p.To, p.State, o.unwritten.err))
		case p.unsaved:
			failures = append(failures, fmt.Errorf("mail to %s is %s, and that is not on disk: %w", p.To, p.State, stopped))
		}
	}
	for _, l := range o.refused() {
		if !l.fresh {
			continue
		}
		l.fresh = false
		if l.err != nil {
			failures = append(failures, fmt.Errorf("mail to %s is refused: %w; %s", l.To, l.err, l.err.Help()))
		} else {
			failures = append(failures, fmt.Errorf("mail to %s is refused: %s; %s", l.To, l.Error, l.Advice))
		}
	}
	if more := len(failures) - maxNamed; more > 0 {
		failures = append(failures[:maxNamed], fmt.Errorf("and %d more mails", more))
	}
	return errors.Join(failures...)
}
