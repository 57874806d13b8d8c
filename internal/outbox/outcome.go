package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"muster/internal/mail"
)

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

// unreached reports whether an attempt failed for a reason that is no letter's: another would have fared no better.
func unreached(e *mail.Error) bool {
	if e == nil {
		return false
	}
	switch e.Step {
	case mail.StepConnect, mail.StepGreeting, mail.StepTLS, mail.StepLogin:
		return true
	}
	return false
}

// reached notes whether the mail server can be used. If not it returns why: all letters wait for the next attempt at it.
func (o *Outbox) reached(ctx context.Context, outcomes []*mail.Error) (lost *mail.Error) {
	var sender *mail.Error
	answered := false
	for _, e := range outcomes {
		switch {
		case unreached(e):
			lost = e
		case e == nil, e.Step == mail.StepRecipient, e.Step == mail.StepContent:
			answered = true
		case e.Step == mail.StepSender:
			sender = e
		}
	}
	if lost == nil && !answered {
		lost = sender // it lets nobody send from this address: no other letter would pass
	}
	o.mu.Lock()
	before := o.away
	if answered {
		o.away = trouble{}
	}
	if lost != nil {
		o.away.failed(lost, retryFirst, retryMost)
	}
	o.mu.Unlock()
	if before.attempts > 0 && answered && lost == nil {
		o.log.InfoContext(ctx, "mail server can be used again", "away", time.Since(before.since).Round(time.Second))
	}
	return lost
}

// hold notes on every letter that waits that the mail server can't be used.
func (o *Outbox) hold(ctx context.Context, lost *mail.Error) {
	o.mu.Lock()
	away := o.away
	waiting := 0
	for _, l := range o.letters {
		if l.State == waits {
			waiting++
			l.tried++
			l.err = lost
		}
	}
	o.mu.Unlock()
	o.log.ErrorContext(ctx, "mail server can't be used, the mails wait", "waiting", waiting, "err", lost,
		"advice", lost.Help(), "attempts", away.attempts, "again", time.Until(away.next).Round(time.Second))
}

// conclude notes what became of a letter that the server was asked to take; lost is why the server can't be used, if so.
func (o *Outbox) conclude(ctx context.Context, l *letter, outcome, lost *mail.Error) {
	held := lost != nil && outcome != nil && (unreached(outcome) || outcome.Step == mail.StepSender)
	if held {
		return // it is as all that wait
	}
	o.mu.Lock()
	switch {
	case outcome == nil:
		l.end(sent, o.now())
		l.unsaved = true
		o.counts.sent++
	case outcome.Final():
		l.refuse(o.now(), outcome.Error(), outcome.Help())
		l.unsaved, l.fresh = true, true
		o.counts.refused++
	default:
		l.attempts++
		l.tried++
		l.doubt = l.doubt || outcome.Uncertain
		most := retryMost
		if l.doubt {
			most = doubtMost
		}
		l.next = time.Now().Add(pause(l.attempts, retryFirst, most))
	}
	if outcome != nil {
		l.err = outcome
	}
	attempts, next := l.attempts, l.next
	o.mu.Unlock()
	log := o.logger(l)
	switch {
	case outcome == nil:
		log.InfoContext(ctx, "mail sent")
		return
	case outcome.Final():
		log.ErrorContext(ctx, "mail refused, it is not sent again", "err", outcome, "advice", outcome.Help())
		return
	}
	log = log.With("err", outcome, "advice", outcome.Help(), "attempts", attempts,
		"again", time.Until(next).Round(time.Second))
	if outcome.Uncertain {
		log.ErrorContext(ctx, "mail may have been accepted, it is sent again under the same Message-ID")
		return
	}
	log.ErrorContext(ctx, "mail not sent, it is tried again")
}

// stopped notes what became of letters whose connection was cut off because the process ends. What was not accepted waits
// for the next one.
func (o *Outbox) stopped(ctx context.Context, batch []*letter, outcomes []*mail.Error) {
	for i, l := range batch {
		e := outcomes[i]
		if e == nil || e.Final() {
			o.conclude(ctx, l, e, nil)
			continue
		}
		o.mu.Lock()
		l.tried++
		l.err = e
		o.mu.Unlock()
		o.logger(l).WarnContext(ctx, "mail not sent: the server stops; it is sent after the next start", "uncertain", e.Uncertain)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.announce()
}

// logger returns the log with what every line on a letter has.
func (o *Outbox) logger(l *letter) *slog.Logger {
	return o.log.With("to", l.To, "message", l.Message, "raised", l.Raised, "ended", l.Ended)
}
