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
}

// noReport says that the client did not report.
type noReport struct {
	kind   failure.Kind
	ended  bool // by itself: it might be that it was not there
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
	if none.More {
		return nil, &noReport{kind: failure.NoReport, text: none.Error(), cause: err}
	}
	status, ending := s.end()
	words := s.words.last()
	var failed *failure.Error
	switch {
	case errors.As(ending, &failed) && failed.Kind == failure.ClientFailed:
		return nil, &noReport{
			kind: failure.ClientFailed, ended: true, cause: ending, advice: failed.Advice,
			text: fmt.Sprintf("%v, without a report%s", failed.Err, words),
		}
	case ending != nil:
		return nil, ending
	case status == 0 && len(none.Noise) > 0:
		return nil, &noReport{kind: failure.NoReport, ended: true, cause: err, text: "the output holds no report" + words}
	}
	return nil, &noReport{
		kind: failure.ClientFailed, ended: true, cause: err,
		text: fmt.Sprintf("the client ended with exit status %d and without a report%s", status, words),
	}
}

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

// part waits, not for long, until the client has ended and all of its log is here. Whatever comes of it, the visit has what
// it wanted, or can't get it any more. A client whose report has arrived is about to end: told to stop, it might take the
// report for undelivered. One whose report lies in a file waits to be told.
func (a *attempt) part(ctx context.Context, s *session, delivered bool) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	defer a.closeWith(ctx)()
	end := s.end
	if delivered && a.host.Transfer != File {
		end = s.leave
	}
	if status, err := end(); status != 0 || err != nil {
		a.log.Debug("the client did not end well", "status", status, "err", a.secret.cover(err))
	}
}
