package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strings"
	"time"

	"muster/internal/report"
)

// Step is a part of sending that can fail.
type Step string

// The steps, in their order.
const (
	StepMessage   Step = "read the message"   // an address in it is none: no server was asked
	StepConnect   Step = "connect"            // resolve the name and open the TCP connection
	StepGreeting  Step = "greet"              // until the server has said what it can do
	StepTLS       Step = "encrypt"            // TLS or STARTTLS, and the check of the certificate
	StepLogin     Step = "log in"             //
	StepSender    Step = "name the sender"    // MAIL FROM
	StepRecipient Step = "name the recipient" // RCPT TO
	StepContent   Step = "hand over the mail" // DATA, until the server has taken responsibility
	StepCheck     Step = "check"              // NOOP
)

// Error says why a message was not accepted, or why the server could not be used. What the server answered is in it,
// made printable and without the password.
type Error struct {
	Server    string // host:port
	Step      Step
	Code      int    // the server's SMTP reply code (RFC 5321, section 4.2); 0: it did not refuse
	Temporary bool   // the same message may be accepted later though nobody changes anything
	Uncertain bool   // the server had the whole message and did not answer: it may have accepted it
	Advice    string // one sentence in the imperative
	Err       error  // never nil; wraps a *textproto.Error if Code is not 0
}

// Error returns server, step and cause in one line, without the advice.
func (e *Error) Error() string {
	return fmt.Sprintf("mail server %s: %s: %v", e.Server, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Help returns the advice, as the failures of visits do.
func (e *Error) Help() string { return e.Advice }

// Final reports whether the message itself was refused: it will never be accepted, whatever is changed about the server,
// its settings or the login. A server that fell silent, or spoke nonsense, has refused nothing.
func (e *Error) Final() bool {
	switch e.Step {
	case StepMessage:
		return true
	case StepRecipient, StepContent:
		return !e.Temporary && e.Code != 0
	}
	return false
}

// SendError says which of several messages were not accepted.
type SendError struct {
	Errors []*Error // one for each message, in the order in which they were given to Send; nil: accepted
}

// Error returns the first failure and how many there are.
func (e *SendError) Error() string {
	failed := e.Unwrap()
	switch len(failed) {
	case 0:
		return "no mail failed"
	case 1:
		return failed[0].Error()
	}
	return fmt.Sprintf("%d of %d mails were not accepted; the first: %v", len(failed), len(e.Errors), failed[0])
}

// Unwrap returns the failures.
func (e *SendError) Unwrap() []error {
	var failed []error
	for _, err := range e.Errors {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// errNoSTARTTLS says that a server offers no encryption.
var errNoSTARTTLS = errors.New("the server does not offer STARTTLS")

// errNoMechanism says that a password can't be given to a server in a way that both know and that is safe.
var errNoMechanism = errors.New("the server offers no way to log in that is safe on this connection")

// maxReply is how many characters of a server's answer are kept.
const maxReply = 300

// failure makes an Error of what went wrong in a step.
func (s *Sender) failure(ctx context.Context, step Step, err error) *Error {
	e := &Error{Server: s.address(), Step: step}
	var reply *textproto.Error
	var network net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Err, e.Temporary = context.Cause(ctx), true
		e.Advice = "nothing is wrong: it was cancelled"
		return e
	case isOver(ctx):
		e.Err, e.Temporary = fmt.Errorf("no answer in the time that was left: %w", context.DeadlineExceeded), true
	case errors.As(err, &reply):
		e.Code = reply.Code
		e.Temporary = reply.Code/100 == 4
		said := s.printable(reply.Msg)
		e.Err = &cleaned{fmt.Sprintf("%d %s", reply.Code, said), &textproto.Error{Code: reply.Code, Msg: said}}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		e.Err = fmt.Errorf("no answer within %v: %w", s.server.Timeout, os.ErrDeadlineExceeded)
		e.Temporary = true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Err, e.Temporary = fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF), true
	default:
		e.Err, e.Temporary = &cleaned{s.printable(err.Error()), err}, isTemporary(step, err)
	}
	e.Advice = s.advice(e)
	return e
}

// isOver says whether ctx's deadline has come. What waits for it by itself may notice that before ctx does.
func isOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// printable returns what a server said in one line, without the password should it repeat it.
func (s *Sender) printable(text string) string {
	for _, secret := range s.secrets() {
		text = strings.ReplaceAll(text, secret, "(password)")
	}
	return report.Visible(strings.Join(strings.Fields(text), " "), maxReply)
}

// cleaned is an error whose text was made safe to show.
type cleaned struct {
	text string
	err  error
}

func (c *cleaned) Error() string { return c.text }
func (c *cleaned) Unwrap() error { return c.err }

// isTemporary judges a failure in which the server did not refuse, nor fall silent.
func isTemporary(step Step, err error) bool {
	var protocol textproto.ProtocolError
	var operation *net.OpError
	switch {
	case isCertificate(err), errors.Is(err, errNoSTARTTLS), errors.Is(err, errNoMechanism), errors.Is(err, errTooMuch),
		errors.As(err, &protocol):
		return false
	case errors.As(err, &operation):
		return true
	}
	return step != StepMessage && step != StepLogin
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &alert) || errors.As(err, &authority) ||
		errors.As(err, &name) || errors.As(err, &invalid) || errors.As(err, &record)
}
