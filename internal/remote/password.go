package remote

import (
	"context"
	"errors"

	"muster/internal/failure"
)

// PasswordOutcome is what became of a password that was allowed to be sent.
type PasswordOutcome int

// The outcomes.
const (
	PasswordUnsent     PasswordOutcome = iota // it was not sent after all
	PasswordAccepted                          // the host took it, though it may want more besides
	PasswordRefused                           // the host did not
	PasswordUnanswered                        // the connection ended before the host said anything
)

// PasswordGate decides whether a password may be sent to a host: a wrong one that is sent again and again locks an
// account.
type PasswordGate interface {
	// Enter returns when the password may be sent, or why it must not be, which is a *failure.Error, or that ctx has
	// ended. What it returns is called once, with what became of the password.
	Enter(ctx context.Context) (leave func(PasswordOutcome), err error)
}

// password is the password of one login, which is sent once, and once more if the host took it and asks again.
type password struct {
	text string
	gate PasswordGate // nil: it may be sent

	withheld error                 // why it must not be sent
	pending  func(PasswordOutcome) // nil: nothing is to be said of it, or all was
	isOut    bool                  // sent, and neither taken nor refused
	spent    bool                  // refused
	taken    bool                  // accepted, once
	waits    bool                  // until it may be sent
	received int64                 // by the wire, when it was sent
	wire     *wire
}

// enter tells whether the password may be sent now.
func (p *password) enter(ctx context.Context, w *wire) bool {
	p.wire = w
	if p.text == "" || p.spent || p.isOut || p.withheld != nil {
		return false
	}
	if p.pending != nil || p.gate == nil {
		return true
	}
	p.waits = true
	p.pending, p.withheld = p.gate.Enter(ctx)
	p.waits = errors.Is(p.withheld, context.Canceled) // with the connection
	return p.withheld == nil
}

// sent notes that the password is on its way.
func (p *password) sent() {
	p.isOut = true
	p.received = p.wire.received.Load()
}

// answered tells whether the host has said anything since the password was sent.
func (p *password) answered(w *wire) bool { return p.isOut && w.received.Load() > p.received }

// leave notes what became of the password, if it was sent and that is not known yet.
func (p *password) leave(outcome PasswordOutcome) {
	if !p.isOut {
		outcome = PasswordUnsent
	}
	switch outcome {
	case PasswordRefused:
		p.spent = true
	case PasswordAccepted:
		p.taken = true
	}
	p.isOut = false
	if p.pending != nil {
		p.pending(outcome)
		p.pending = nil
	}
}

// refusal returns the failure of a login that failed because the password was not sent, or nil.
func (p *password) refusal() *failure.Error {
	var known *failure.Error
	if errors.As(p.withheld, &known) {
		return known
	}
	return nil
}
