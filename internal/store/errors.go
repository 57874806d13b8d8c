package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"muster/internal/report"
)

// Errors that a caller can test for with errors.Is.
var (
	// ErrURL: the database's URL can't be understood. It is a mistake in the configuration.
	ErrURL = errors.New("not a database URL")
	// ErrUnavailable: the database can't be reached or can't be used now. The same call may succeed later.
	ErrUnavailable = errors.New("database unavailable")
	// ErrDenied: the server refuses the user, the password, or what the user wants. It is ErrUnavailable too.
	ErrDenied = fmt.Errorf("%w: access denied", ErrUnavailable)
	// ErrMissing: there is no such database, and it was not to be created. It is ErrUnavailable too.
	ErrMissing = fmt.Errorf("%w: there is none", ErrUnavailable)
	// ErrNewer: a newer version of this program has migrated the database.
	ErrNewer = errors.New("the database is of a newer version of this program: update this one")
)

// fault says what a database's error means for those who call.
type fault int

const (
	refused   fault = iota // the data or the statement: the same would fail again
	contended              // others were in the way: the same, at once, may succeed
	lost                   // the connection broke, or there was none to be had
	late                   // no answer in time
	denied                 // the server refuses the user
	missing                // there is no such database
	unusable               // the server is there and can't: disk full, read-only, too many connections
)

// connectError is an error from the time before there was a connection.
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// lineError is an error as one line that can be printed: drivers quote what a server sent, and list their attempts below
// one another.
type lineError struct{ err error }

func (e *lineError) Error() string {
	text := strings.ReplaceAll(e.err.Error(), ": %!w(<nil>)", "") // a driver's own slip where it knows no cause
	var line strings.Builder
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
			continue
		case line.Len() == 0:
		case strings.HasSuffix(line.String(), ":"):
			line.WriteByte(' ')
		default:
			line.WriteString("; ")
		}
		line.WriteString(part)
	}
	return report.Visible(line.String(), 0)
}

func (e *lineError) Unwrap() error { return e.err }

// overtimeError is the error of a transaction that had begun and was not over in time. It does not wrap what the engine
// made of that: after a broken connection, say, the same would be tried again at once.
type overtimeError struct {
	limit time.Duration
	err   error
}

func (e *overtimeError) Error() string { return fmt.Sprintf("not over within %v: %v", e.limit, e.err) }
func (e *overtimeError) Unwrap() error { return context.DeadlineExceeded }

// fault classifies an error: by the engine's codes, or by what kept the two apart.
func (e *engine) fault(err error) fault {
	if f, ok := e.code(err); ok {
		return f
	}
	var connecting *connectError
	var network net.Error
	var path *fs.PathError
	switch {
	// Before what is of the network, which the operating system's errors look like too.
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist):
		return missing
	case errors.As(err, &path):
		return unusable
	case errors.Is(err, context.DeadlineExceeded):
		return late
	case errors.As(err, &network) && network.Timeout():
		return late
	case errors.As(err, &connecting), errors.As(err, &network),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return lost
	}
	return refused
}

// fail says in a public error what was being done where, what it means and what to do.
func (e *engine) fail(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %s: %w", e.place, doing, ctx.Err())
	}
	err = &lineError{err}
	if errors.Is(err, ErrNewer) || errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("%s: %s: %w", e.place, doing, err)
	}
	kind, advice := ErrUnavailable, ""
	switch e.fault(err) {
	case refused:
		return fmt.Errorf("%s: %s: %w", e.place, doing, err)
	case denied:
		kind, advice = ErrDenied, "check the user, the password, and that the user may use (or create) the database"
	case missing:
		advice = "create the database, or let the user create it"
		if e.asIs {
			kind, advice = ErrMissing, "the first sweep creates it: muster run"
		}
	case lost, late:
		advice = "check that a server of this kind runs there and can be reached"
	case unusable:
		advice = "see to the database, then try again"
	case contended:
		advice = "another program holds the database: try again"
	}
	return fmt.Errorf("%s: %s: %w: %w (%s)", e.place, doing, kind, err, advice)
}

const (
	attempts   = 6                     // of one transaction
	firstPause = 25 * time.Millisecond // before the second attempt, doubled before each further one
)

// retry calls f until it succeeds, its error would stay the same, or it was tried often enough.
func (e *engine) retry(ctx context.Context, f func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || attempt == attempts {
			return err
		}
		if fault := e.fault(err); fault != contended && fault != lost {
			return err
		}
		if wait(ctx, pause) != nil {
			return err
		}
		pause *= 2
	}
}

// wait waits for d, give or take half of it so that those who collided part, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d/2 + rand.N(d)) //nolint:gosec // chance enough to part two servers
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
