package faults

import (
	"cmp"
	"regexp"
	"slices"
	"time"
)

// LogsMatches is the statistic of limits on log records.
const LogsMatches = "logs.matches"

// Accounts of the event alerts.
const (
	BurstUntold    = "a burst, and no alert"
	BurstToldTwice = "two alerts of one burst"
	AlertOfNoBurst = "an alert of no burst"
	AlertElsewhere = "an alert of no limit"
)

// Burst is lines that a host wrote to its log within a moment.
type Burst struct {
	Host  string
	Lines Lines
	Span  Span // of the times that they say
}

// Bursts is the book of the event alerts: of each burst of which more lines were stored than the limit allows there was an
// alert, and one only; there is none of anything else. What was destroyed before it was read does not count. That alerts
// end is for the book [Alerts], and that they are mailed for [Letters].
//
// An alert says when the records were that raised it, by the host's clock: so it is known which burst it is of, whatever
// the server's clock does. Bursts of one host are further apart than twice the limit's time, and nothing else in its log
// counts. But where the first is not over when the next one comes, because the host could not be visited, one alert is of
// both, and says of one of them when that was. A burst is left out, and noted, if that may be so: if no two visits in
// between, at times when the server's clock was right, have shown that the first was over.
type Bursts struct {
	Bursts []Burst
	Above  int
	Limits map[string]string // by host: the instance of its alerts
	Rows   []RecordRow
	Alerts []AlertRow
	Visits []VisitRow
	Clock  Clock
}

// lasting is how long after a burst a visit may still find its alert going on: the limit's time, and that for which a reader
// of files waits before it leaves a rotated one.
const lasting = 15 * time.Second

// arrived is a burst with what became of it.
type arrived struct {
	Burst
	stored int // of its lines
	alerts int // that say when it was
}

// Balance implements Book.
func (b Bursts) Balance() Balance {
	l := newLedger("event alerts", BurstUntold, BurstToldTwice, AlertOfNoBurst, AlertElsewhere)
	hosts := b.arrivals()
	for _, a := range b.Alerts {
		if a.Statistic == LogsMatches {
			b.take(l, hosts[a.Host], a)
		}
	}
	partly, along := 0, 0
	for host, bursts := range hosts {
		for i, burst := range bursts {
			l.balance.Entries++
			if burst.stored <= burst.Lines.Last-burst.Lines.First {
				partly++
			}
			switch {
			case burst.stored <= b.Above:
			case burst.alerts > 1:
				l.loss(BurstToldTwice, "%s, lines %v: %d alerts", host, burst.Lines, burst.alerts)
			case burst.alerts == 1:
			case b.along(bursts, i):
				along++
			default:
				l.loss(BurstUntold, "%s, lines %v, of which %d are stored", host, burst.Lines, burst.stored)
			}
		}
	}
	if partly > 0 {
		l.note("%d bursts were destroyed before all of their lines were read: those that were stored count", partly)
	}
	if along > 0 {
		l.note("%d bursts are left out: the alert of another one may have told of them", along)
	}
	l.sort()
	return l.balance
}

// arrivals returns what became of the bursts, by host, in the order of their lines.
func (b Bursts) arrivals() map[string][]*arrived {
	stored := make(map[HostLine]bool)
	for _, r := range b.Rows {
		stored[HostLine{r.Host, r.Line}] = true
	}
	hosts := make(map[string][]*arrived)
	for _, burst := range b.Bursts {
		a := &arrived{Burst: burst}
		for n := burst.Lines.First; n <= burst.Lines.Last; n++ {
			if stored[HostLine{burst.Host, n}] {
				a.stored++
			}
		}
		hosts[burst.Host] = append(hosts[burst.Host], a)
	}
	for _, bursts := range hosts {
		slices.SortFunc(bursts, func(x, y *arrived) int { return cmp.Compare(x.Lines.First, y.Lines.First) })
	}
	return hosts
}

// take enters an alert with the burst of its host that it is of. One that was never raised told nobody.
func (b Bursts) take(l *ledger, bursts []*arrived, a AlertRow) {
	since := a.Since.Format(time.RFC3339Nano)
	if a.Instance != b.Limits[a.Host] {
		l.loss(AlertElsewhere, "%s since %s: %q", a.Host, since, a.Instance)
		return
	}
	span, ok := spanOf(a.Text)
	at := slices.IndexFunc(bursts, func(burst *arrived) bool {
		return ok && !burst.Span.From.After(span.To) && !burst.Span.To.Before(span.From)
	})
	switch {
	case at < 0:
		l.loss(AlertOfNoBurst, "%s since %s: %s", a.Host, since, a.Text)
	case bursts[at].stored <= b.Above:
		l.loss(AlertOfNoBurst, "%s since %s: of the lines %v only %d are stored", a.Host, since, bursts[at].Lines, bursts[at].stored)
	case !a.Raised.IsZero():
		bursts[at].alerts++
	}
}

// spanOf returns the times that an alert's words begin with: "2026-03-01 11:52:07 to 11:52:08 UTC; …", whole seconds.
func spanOf(words string) (Span, bool) {
	match := regexp.MustCompile(`^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) to (\d\d:\d\d:\d\d) UTC;`).FindStringSubmatch(words)
	if match == nil {
		return Span{}, false
	}
	from, err := time.Parse(time.DateTime, match[1]+" "+match[2])
	if err != nil {
		return Span{}, false
	}
	to, err := time.Parse(time.DateTime, match[1]+" "+match[3])
	if err != nil {
		return Span{}, false
	}
	if to.Before(from) {
		to = to.AddDate(0, 0, 1)
	}
	return Span{from, to.Add(time.Second - time.Nanosecond)}, true
}

// along tells whether the alert of another burst may have told of this one, too: of the next one that has an alert, or of the
// one before, if that one is larger, so that an alert that both came with would be of it.
func (b Bursts) along(bursts []*arrived, this int) bool {
	for _, later := range bursts[this+1:] {
		if later.alerts > 0 {
			if !b.over(bursts[this], later) {
				return true
			}
			break
		}
	}
	for _, earlier := range slices.Backward(bursts[:this]) {
		if earlier.alerts > 0 {
			return earlier.stored > bursts[this].stored && !b.over(earlier, bursts[this])
		}
	}
	return false
}

// over tells whether visits have shown that an alert of one burst was over before the next was written.
func (b Bursts) over(first, next *arrived) bool {
	between := Span{first.Span.To.Add(lasting), next.Span.From}
	shown := 0
	for _, v := range b.Visits {
		if v.Host == first.Host && v.Outcome == "ok" && between.holds(v.Started) && b.Clock.trusted(v.Started) {
			shown++
		}
	}
	return shown > 1
}
