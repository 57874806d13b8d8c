package visit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// session is a client that runs on the host.
type session struct {
	process *remote.Process
	stdout  *bufio.Reader
	words   *transcript
	heard   chan struct{} // closed when all of its log has been read

	installed, sudo bool // by an administrator; it is run by sudo
}

// noReport says that the client did not report.
type noReport struct {
	kind   failure.Kind
	ended  bool // by itself: it might be that it was not there
	unrun  bool // it never ran: a shell said that it did not find it
	text   string
	advice string
	cause  error
}

func (e *noReport) Error() string { return e.text }

func (e *noReport) Unwrap() error { return e.cause }

// header waits for the report to begin. If the client ends before, the error is a *noReport that says how, with its last
// words.
func (s *session) header() (*report.Frame, error) {
	frame, err := report.ReadHeader(s.stdout)
	var none *report.NoReportError
	if !errors.As(err, &none) {
		return frame, err
	}
	s.words.note(none.Noise)
	switch {
	case none.Err != nil:
		return nil, none.Err
	case none.More:
		text := fmt.Sprintf("no report came within the first %d bytes of output", report.MaxNoise) + s.words.last()
		return nil, &noReport{kind: failure.Noise, text: text, cause: err, advice: "let the user's login script print less: its " +
			"output comes before the report"}
	}
	status, ending := s.end()
	var failed *failure.Error
	switch {
	case errors.As(ending, &failed) && (failed.Kind == failure.ClientFailed || failed.Kind == failure.ClientCrashed):
		return nil, &noReport{
			kind: failed.Kind, ended: true, cause: ending, advice: failed.Advice,
			text: fmt.Sprintf("%v, without a report%s", failed.Err, s.words.last()),
		}
	case ending != nil:
		return nil, ending
	}
	return nil, s.unreported(status, none)
}

// statusPanic is the exit status of a Go program that breaks down. It says why, and then where at length.
const statusPanic = 2

// end tells the client to stop, waits until it has, and returns its exit status.
func (s *session) end() (int, error) {
	_ = s.process.Stdin.Close()
	return s.wait()
}

// wait waits until the client has ended, and returns its exit status.
func (s *session) wait() (int, error) {
	status, err := s.process.Wait()
	<-s.heard
	return status, err
}

// leave waits until the client has ended by itself, and tells it to stop if that takes longer than it should.
func (s *session) leave() (int, error) {
	told := make(chan struct{})
	patience := time.AfterFunc(courtesy, func() {
		defer close(told)
		_ = s.process.Stdin.Close()
	})
	status, err := s.wait()
	if !patience.Stop() {
		<-told
	}
	return status, err
}

// takeLeave waits, not for long, until the client has ended and all of its log is here. Whatever comes of it, the visit has
// what it wanted, or can't get it any more. A client whose report has arrived by itself is about to end: told to stop, it
// might take the report for undelivered. Any other waits to be told.
func (a *attempt) takeLeave(ctx context.Context, s *session, ending bool) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	defer a.closeWith(ctx)()
	end := s.end
	if ending {
		end = s.leave
	}
	if status, err := end(); status != 0 || err != nil {
		a.log.Debug("the client did not end well", "status", status, "err", a.secret.cover(err))
	}
}
