package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/internal/alert"
	"muster/internal/mail"
	"muster/internal/visit"
)

// letter is the mail of one receiver, with the alerts that it tells of.
type letter struct {
	digest mail.Digest
	alerts []alert.Alert
}

// news returns one letter for each receiver who is to be told something, ordered by receiver: alerts that fire and of
// which nobody was told, and those that are over and of which it was not told.
func (w *watch) news(s visit.Sweep, now time.Time) []letter {
	w.mu.Lock()
	defer w.mu.Unlock()
	failed := 0
	if c := w.sweeps[s.Time]; c != nil {
		failed = c.failed
	}
	byReceiver := make(map[string]*letter)
	add := func(a alert.Alert) bool {
		known := false
		for _, receiver := range w.receivers(a.Host) {
			known = true
			if slices.Contains(w.accepted[delivery{a.ID, a.Phase}], receiver) {
				continue // another receiver's mail is what is missing
			}
			l := byReceiver[receiver]
			if l == nil {
				l = &letter{digest: mail.Digest{
					To: receiver, Sweep: s.Time, Now: now, Hosts: s.Hosts, Failed: failed,
				}}
				byReceiver[receiver] = l
			}
			l.alerts = append(l.alerts, a)
		}
		return known
	}
	for _, open := range w.open {
		for _, a := range open {
			if a.Phase == alert.Firing && w.told[a.ID] != alert.Firing {
				add(a)
			}
		}
	}
	for _, a := range w.over {
		if !add(a) {
			w.settle(a)
		}
	}
	letters := make([]letter, 0, len(byReceiver))
	for _, l := range byReceiver {
		w.fill(l)
		letters = append(letters, *l)
	}
	slices.SortFunc(letters, func(a, b letter) int { return strings.Compare(a.digest.To, b.digest.To) })
	return letters
}

// receivers returns who is to be told of a host; nobody where there is no mail server.
func (w *watch) receivers(host string) []string {
	if w.sender == nil {
		return nil
	}
	known, ok := w.watched[host]
	if !ok {
		return w.others
	}
	return known.receivers
}

// fill makes the letter's lines. mu is held.
func (w *watch) fill(l *letter) {
	slices.SortFunc(l.alerts, func(a, b alert.Alert) int {
		return strings.Compare(a.Host+"\x00"+a.Statistic+"\x00"+a.Instance+"\x00"+a.ID,
			b.Host+"\x00"+b.Statistic+"\x00"+b.Instance+"\x00"+b.ID)
	})
	mentioned := make(map[string]bool, len(l.alerts))
	for _, a := range l.alerts {
		mentioned[a.ID] = true
		if a.Phase == alert.Resolved {
			l.digest.Ended = append(l.digest.Ended, w.item(a))
		} else {
			l.digest.Raised = append(l.digest.Raised, w.item(a))
		}
	}
	for host, open := range w.open {
		if !slices.Contains(w.receivers(host), l.digest.To) {
			continue
		}
		for _, a := range open {
			if a.Phase == alert.Firing && !mentioned[a.ID] {
				l.digest.Ongoing++
			}
		}
	}
}

func (w *watch) item(a alert.Alert) mail.Item {
	return mail.Item{
		Notice: a.ID + "/" + string(a.Phase), Host: a.Host, Groups: w.watched[a.Host].groups, Statistic: a.Statistic,
		Instance: a.Instance, Unit: a.Unit, Limit: a.Limit, Text: a.Text, Value: a.Value, Since: a.Since, Ended: a.Ended,
	}
}

// settle notes that the receivers of an alert were told of its phase, or need not be. mu is held.
func (w *watch) settle(a alert.Alert) {
	w.told[a.ID] = a.Phase
	delete(w.accepted, delivery{a.ID, a.Phase})
	if latest, ok := w.over[a.ID]; ok {
		// It may have ended while the mail that it began was on its way: then that is news still.
		if a.Phase == alert.Resolved {
			delete(w.over, a.ID)
		}
		a = latest
	}
	for _, latest := range w.open[a.Host] {
		if latest.ID == a.ID {
			a = latest
		}
	}
	w.dirty[a.ID] = a
}

// delivery is a phase of an alert that people are to be told of.
type delivery struct {
	alert string // id
	phase alert.Phase
}

// accept notes that a receiver has been told what a letter says. mu is held.
func (w *watch) accept(l letter) {
	for _, a := range l.alerts {
		d := delivery{a.ID, a.Phase}
		w.accepted[d] = append(w.accepted[d], l.digest.To)
	}
}

// send mails the letters over one connection and returns the alerts of which everybody who is to be told was, or never
// will be: a mail that the server refuses for good is logged and not sent again. Who was told is remembered, so that
// nobody is told again because another's mail has to wait. The error wraps ErrUnusable and says which mails are not sent.
func (w *watch) send(ctx context.Context, letters []letter) (told []alert.Alert, err error) {
	messages := make([]mail.Message, len(letters))
	for i, l := range letters {
		if messages[i], err = mail.Render(l.digest); err != nil {
			return nil, err
		}
	}
	outcomes := outcomesOf(w.sender.Send(ctx, messages...), len(letters))
	waits := make(map[string]bool) // alerts of which somebody is still to be told
	for i, l := range letters {
		log := w.log.With("to", l.digest.To, "message", messages[i].ID, "raised", len(l.digest.Raised),
			"ended", len(l.digest.Ended))
		outcome := outcomes[i]
		switch {
		case outcome == nil:
			log.InfoContext(ctx, "mail sent")
			w.mu.Lock()
			w.accept(l)
			w.mu.Unlock()
			continue
		case outcome.Final():
			log.ErrorContext(ctx, "mail refused, it is not sent again", "err", outcome, "advice", outcome.Help())
		default:
			log.ErrorContext(ctx, "mail not sent, it is tried again after the next sweep", "err", outcome,
				"advice", outcome.Help())
			for _, a := range l.alerts {
				waits[a.ID] = true
			}
		}
		err = errors.Join(err, fmt.Errorf("mail to %s: mail server %w: %w; %s", l.digest.To, ErrUnusable, outcome, outcome.Help()))
	}
	for _, l := range letters {
		for _, a := range l.alerts {
			if !waits[a.ID] {
				told = append(told, a)
			}
		}
	}
	return told, err
}

// outcomesOf returns what became of each of n messages; nil: accepted.
func outcomesOf(err error, n int) []*mail.Error {
	outcomes := make([]*mail.Error, n)
	var failed *mail.SendError
	switch {
	case err == nil:
	case errors.As(err, &failed) && len(failed.Errors) == n:
		copy(outcomes, failed.Errors)
	default:
		for i := range outcomes {
			outcomes[i] = &mail.Error{Step: mail.StepConnect, Temporary: true, Err: err}
		}
	}
	return outcomes
}
