// Package alert decides which limits are exceeded, since when, and what people are told of it.
//
// It is one pure function with a small vocabulary around it: [Evaluate] takes the limits of a host, what is known of its
// alerts, what a visit says of it and the time, and returns what is known then and the notices to send. It reads no
// clock, keeps nothing, starts nothing and cannot fail, so everything in it is safe for concurrent use; whoever calls it
// keeps the state, one host at a time, and stores it before notices leave.
//
// An alert is the state of one limit for one series of a host. It is pending while the limit is exceeded but not yet for
// as long as the limit says, firing from then on, and resolved when it is over:
//
//	            exceeded                 for at least Limit.For
//	(no alert) ──────────→ pending ────────────────────────────→ firing ──→ notice: raised
//	                          │ not exceeded                        │ not exceeded, no longer reported,
//	                          ↓                                     ↓ limit or host removed
//	                       resolved (nobody is told)             resolved ──→ notice: over
//
// Promises:
//   - Only evidence moves an alert. A failed visit, a source that failed on the host, a value that can't be compared or
//     is not there yet neither raises nor ends one: it is held as it is.
//   - For one series and direction, a notice that it was raised is followed by one that it is over before the next is
//     raised.
//   - The same state and observation give the same result, bit for bit, identifiers included. So whoever evaluates again
//     after a crash finds the notices it already knows.
//   - State survives storing: times are UTC in whole microseconds, everything else is text and one number, and nothing is
//     kept beside it.
//
// The values of a host are not trusted: they are bounded where the report is parsed, and made printable where they are
// shown.
package alert

import (
	"time"

	"muster/internal/report"
)

// VisitFailed is the statistic that is 1 where a visit failed and 0 where it did not. Evaluate derives it from
// Observation.Failed; a host cannot report it.
const VisitFailed = report.VisitFailed

// Why an alert ended other than by its value: the Text of the alert then.
const (
	NoLongerReported = "no longer reported" // a complete report lacks the series: a disk was unmounted, for one
	LimitRemoved     = "limit removed"      // the configuration no longer has the limit
	HostRemoved      = "host removed"       // the configuration no longer has the host
)

// Direction says on which side of a limit trouble lies.
type Direction string

// The directions.
const (
	Above Direction = "above"
	Below Direction = "below"
)

// Limit is what a statistic must not exceed. Equal is not exceeded. A limit with an instance takes precedence, for that
// instance, over those without of the same statistic and direction; of two that are the same in all three the later in
// the list holds.
type Limit struct {
	Statistic string
	Instance  string        // empty: every instance, each on its own
	Unit      string        // of Above and Below; values in another unit are not compared. Empty: whatever is reported
	Above     *float64      // nil: no bound on this side
	Below     *float64      // likewise
	For       time.Duration // how long it must be exceeded to fire; 0 or less: at once
	Within    time.Duration // in how long the values counted what they count: it is said with the bound; 0: they count nothing
}

// Observation is what one visit says of a host. A visit that was cancelled, or never began, says nothing: it is no
// observation.
type Observation struct {
	Host       string
	Statistics []report.Statistic // of the report, with what the server derived; of a series given twice the first counts
	Failed     bool               // the visit failed: Statistics is not looked at
	Text       string             // the failure's words
	Reasons    map[string]string  // by statistic: words for its alert, as a failure has; nil: none
	Incomplete bool               // a source failed: a series that is absent may still exist
}

// Phase is how far an alert has got.
type Phase string

// The phases. They are stored and never renamed.
const (
	Pending  Phase = "pending"  // exceeded, but not for long enough
	Firing   Phase = "firing"   // people were told
	Resolved Phase = "resolved" // over; if Raised is zero nobody was told of it
)

// Alert is the state of one limit for one series of a host. Which limit it is follows from Host, Statistic, Instance and
// Direction: a limit whose bound changes keeps its alert.
type Alert struct {
	ID        string // 32 hexadecimal digits, made of what identifies the limit and of the time the alert began
	Host      string
	Statistic string
	Instance  string
	Direction Direction
	Unit      string // of Value
	Limit     string // as a person reads it: above 90 % for 5m
	Phase     Phase
	Since     time.Time // when the limit was first seen exceeded
	Raised    time.Time // when it began to fire; zero: not yet
	Ended     time.Time // zero: not yet
	Value     float64   // the latest
	Text      string    // the words of a failure or another reason, where there are any; or why the alert ended
	Updated   time.Time // the latest observation that said something of it
}

// Notice is something that people are told: an alert that began to fire (its Phase is Firing) or that is over (Resolved).
type Notice struct {
	ID    string // 32 hexadecimal digits, made of the alert's ID and its phase
	Alert Alert
}
