package store

import (
	"context"
	"iter"
	"time"

	"muster/internal/events"
	"muster/internal/report"
)

// LogQuery says which log records are wanted. The zero value wants all of them.
type LogQuery struct {
	Hosts    []string       // of any of these; empty: of all
	Channels []string       // likewise
	Sources  []string       // likewise: providers, programs
	Events   report.Events  // empty: all
	Levels   []report.Level // any of these; empty: all
	Since    time.Time      // not before that time; zero: from the first on
	Until    time.Time      // before that time; zero: to the last
	User     string         // of this user, or of the logon of this account, with a domain or without, in whatever case; empty: of all
	Address  string         // of logons from there; empty: of all
	Logon    string         // LogonAccepted, LogonFailed, LogonAny; empty: whether they are of logons or not
	Text     string         // somewhere in message, data, source, user or computer, in whatever case; empty: any

	// After and Upto are positions: what was stored after the one and not after the other; 0: whenever. With After the
	// lines come in the order in which they were stored, otherwise in that of their times.
	After, Upto int64

	Newest int  // only the last so many records by their times; 0: all. Not with After
	Raw    bool // read the raw form of records too
	Gaps   bool // and what is missing of these hosts and channels that was found missing in that time, whatever else is asked
}

// What Logon.Outcome may be.
const (
	LogonAccepted = events.Accepted
	LogonFailed   = events.Failed
)

// LogonAny asks for logons of either outcome.
const LogonAny = events.Any

// LogLine is a record, or a gap: what was gone before it was read.
type LogLine struct {
	Position int64 // where it is in the order in which records and gaps were stored; from 2
	Host     string
	Channel  string
	Epoch    int64
	Sweep    time.Time  // of the sweep that brought it home
	Record   *LogRecord // nil: a gap
	Gap      *LogGap    // nil: a record
}

// LogRecord is a record as it is stored.
type LogRecord struct {
	report.Record // Raw is empty unless it was asked for
	Logon         Logon
}

// LogGap is a gap as it is stored.
type LogGap struct {
	report.Gap
	Found time.Time // when that was read
}

// Logs returns the lines that a query selects. It reads as the lines are taken, in statements that each look at a bounded
// number of rows and take a bounded time, and holds 2 MiB of them, or as much of each of up to 16 hosts or events; nothing is held open while the caller
// works on a line, however long that takes. What is stored or deleted meanwhile may be among the lines or not.
//
// To follow, ask for LogEnd, and for the lines up to it; and again and again for a new LogEnd, and for the lines after the
// one before and up to the new one. So each line comes once.
//
// After an error, which comes with an empty line, there are no more: ErrUnavailable, or ctx's.
func (s *Store) Logs(ctx context.Context, q LogQuery) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		if err := s.logs(ctx, &q, yield); err != nil {
			yield(LogLine{}, s.engine.fail(ctx, "read log records", err))
		}
	}
}

// LogEnd returns the last position that has been given, or 1 where none was. Lines at or before it are all there to be read:
// positions are given in the order in which transactions end.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) LogEnd(ctx context.Context) (int64, error) {
	var last int64
	err := s.engine.retry(ctx, func() error {
		db, cancel := s.read(ctx)
		defer cancel()
		return db.Raw("SELECT last FROM log_sequence WHERE id = 1").Scan(&last).Error
	})
	if err != nil {
		return 0, s.engine.fail(ctx, "read the end of the log records", err)
	}
	return last, nil
}
