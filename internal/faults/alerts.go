package faults

import (
	"slices"
	"time"
)

// Accounts of the alerts.
const (
	NoAlert      = "exceeded, and no alert"
	StillOpen    = "did not end"
	TwoAtOnce    = "two of one limit at a time"
	WithoutCause = "began with no visit"
)

// VisitFailed is the statistic of the limit that a failed visit exceeds.
const VisitFailed = "visit.failed"

// slack is how much a time may lose on its way into the database.
const slack = time.Millisecond

// AlertRow is an alert as it is stored. A zero time is none.
type AlertRow struct {
	ID, Host, Statistic, Instance, State, Text string
	Since, Raised, Ended                       time.Time
}

// Span is a time from and to, both included.
type Span struct{ From, To time.Time }

func (s Span) holds(t time.Time) bool { return !t.Before(s.From) && !t.After(s.To) }

// Clock is what the bench knows of the server's clock.
type Clock struct {
	Run   Span   // from the bench's begin to its end
	Jumps []Span // while the clock was elsewhere, by the true time
}

// around is how long before and after a jump the server may have taken the time for another one.
const around = 5 * time.Second

// trusted tells whether no jump can have touched a time.
func (c Clock) trusted(t time.Time) bool {
	if len(c.Jumps) == 0 {
		return true
	}
	if !c.Run.holds(t) {
		return false
	}
	for _, j := range c.Jumps {
		if (Span{j.From.Add(-around), j.To.Add(around)}).holds(t) {
			return false
		}
	}
	return true
}

// trustedSpan tells whether no jump can have touched a time between two, or one of them. A zero to is the end.
func (c Clock) trustedSpan(from, to time.Time) bool {
	if to.IsZero() {
		to = c.Run.To
	}
	if !c.trusted(from) || !c.trusted(to) {
		return false
	}
	for _, j := range c.Jumps {
		if !j.From.After(to) && !j.To.Before(from) {
			return false
		}
	}
	return true
}

// overtaken tells whether the clock jumped between two times.
func (c Clock) overtaken(from, to time.Time) bool {
	return slices.ContainsFunc(c.Jumps, func(j Span) bool { return j.To.After(from) && j.From.Before(to) })
}

// Alerts is the book of the alerts: a stored visit that exceeds a limit has one, and at the end, when all is well, none
// is left. Visits and alerts that were at a time when the server's clock jumped are left out. So are those of alerts that
// were open then: an observation from before an alert began moves the alert's times to its own (package alert), so such an
// alert may have ended, or begun and ended, when the first visit after the jump did.
type Alerts struct {
	Visits     []VisitRow
	Alerts     []AlertRow
	Statistics []string // those that visits can exceed; other alerts have causes of their own
	Clock      Clock
}

// Balance implements Book.
func (b Alerts) Balance() Balance {
	l := newLedger("alerts", NoAlert, WithoutCause, TwoAtOnce, StillOpen)
	type series struct{ host, statistic string }
	alerts := make(map[series][]AlertRow)
	for _, a := range b.Alerts {
		alerts[series{a.Host, a.Statistic}] = append(alerts[series{a.Host, a.Statistic}], a)
		if a.State != "resolved" {
			l.loss(StillOpen, "%s %s %s since %s", a.Host, a.Statistic, a.State, a.Since.Format(time.RFC3339Nano))
		}
	}
	began := make(map[series]map[int64]bool)
	for _, v := range b.Visits {
		for _, statistic := range v.exceeds() {
			of := series{v.Host, statistic}
			if began[of] == nil {
				began[of] = make(map[int64]bool)
			}
			began[of][v.Started.UnixMilli()] = true
			if !b.Clock.trusted(v.Started) || b.Clock.overtaken(v.Started, b.well(v.Host, statistic, v.Started)) {
				continue
			}
			l.balance.Entries++
			if !slices.ContainsFunc(alerts[of], func(a AlertRow) bool { return a.covers(v.Started) }) {
				l.loss(NoAlert, "%s %s: visit %s at %s", v.Host, statistic, v.Visit, v.Started.Format(time.RFC3339Nano))
			}
		}
	}
	for of, list := range alerts {
		slices.SortFunc(list, func(a, b AlertRow) int { return a.Since.Compare(b.Since) })
		var before AlertRow
		for _, a := range list {
			if !b.Clock.trustedSpan(a.Since, a.Ended) || a.Since.Equal(a.Ended) && len(b.Clock.Jumps) > 0 {
				continue
			}
			if slices.Contains(b.Statistics, a.Statistic) && !began[of][a.Since.UnixMilli()] {
				l.loss(WithoutCause, "%s %s since %s", a.Host, a.Statistic, a.Since.Format(time.RFC3339Nano))
			}
			if before.ID != "" && (before.Ended.IsZero() || before.Ended.After(a.Since)) {
				l.loss(TwoAtOnce, "%s %s: since %s, and since %s", a.Host, a.Statistic,
					before.Since.Format(time.RFC3339Nano), a.Since.Format(time.RFC3339Nano))
			}
			before = a
		}
	}
	l.sort()
	return l.balance
}

// well returns when a host was first seen not to exceed a limit, after a time; the end of the run if it never was. A visit that
// was skipped saw nothing.
func (b Alerts) well(host, statistic string, after time.Time) time.Time {
	first := b.Clock.Run.To
	for _, v := range b.Visits {
		if v.Host == host && v.Outcome != "skipped" && v.Started.After(after) && v.Started.Before(first) && b.Clock.trusted(v.Started) &&
			!slices.Contains(v.exceeds(), statistic) {
			first = v.Started
		}
	}
	return first
}

// exceeds returns the statistics of a visit that exceed a limit, its own failure among them.
func (r *VisitRow) exceeds() []string {
	if r.Outcome == "failed" {
		return []string{VisitFailed}
	}
	return r.Exceeded
}

// covers tells whether an alert was open at a time.
func (a *AlertRow) covers(t time.Time) bool {
	return !t.Before(a.Since.Add(-slack)) && (a.Ended.IsZero() || !t.After(a.Ended.Add(slack)))
}
