package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"
)

// twice is the reason that ends an alert whose limit has an older one. It takes a state that was put together from two
// servers' to get there.
const twice = "the limit has another alert"

// Evaluate judges one observation of a host.
//
// State is what the last call returned for the host, or the part of it that is not resolved, or nothing; alerts of other
// hosts and resolved ones in it are ignored. It is not changed. Next holds the host's alerts as they are then, ordered by
// statistic, instance and direction: the pending and firing ones, and those that this observation ended, for the record.
// Notices are in the same order.
//
// Now is the time of the observation. Observations come in the order in which they were made, each once: whoever calls sees
// to that. So one that is older than the state shows that the clock was put back; it is judged like any other, and times of
// the state that lie after it are set to it, so that no duration is ever negative.
//
// A pending alert that an observation without evidence leaves pending fires at the next observation that exceeds the
// limit, if it is time: two observations vouch for it and none speaks against it.
func Evaluate(limits []Limit, state []Alert, o Observation, now time.Time) (next []Alert, notices []Notice) {
	now = instant(now)
	open := unresolved(state, o.Host, now)
	rules := rulesOf(limits)
	e := evaluation{now: now, host: o.Host, text: o.Text, reasons: o.Reasons, next: make([]Alert, 0, len(open))}
	seen := sampled(o, wanted(rules, open))

	known := make(map[identity]bool, len(open))
	for _, a := range open {
		if known[a.identity()] {
			e.end(a, twice)
			continue
		}
		known[a.identity()] = true
		e.judge(a, rules, &seen)
	}
	for _, key := range seen.order {
		for _, direction := range []Direction{Above, Below} {
			r, limited := find(rules, key.statistic, key.instance, direction)
			value := seen.values[key]
			if limited && !known[identity{key, direction}] && value.fits(r) && r.exceeded(value.value) {
				e.begin(key, r, value)
			}
		}
	}
	return e.result()
}

// Forget ends the alerts of hosts that the configuration no longer has. Resolved ones in state are ignored, state is not
// changed, and the result is as that of [Evaluate].
func Forget(state []Alert, now time.Time) (next []Alert, notices []Notice) {
	e := evaluation{now: instant(now)}
	for _, a := range state {
		if a.Phase != Resolved {
			a.putBack(e.now)
			e.end(a, HostRemoved)
		}
	}
	return e.result()
}

// instant returns t as a database keeps it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

type identity struct {
	series
	direction Direction
}

func (a *Alert) identity() identity {
	return identity{series{a.Statistic, a.Instance}, a.Direction}
}

// unresolved returns the open alerts of a host in their order, those of the same limit oldest first, with no time after now.
func unresolved(state []Alert, host string, now time.Time) []Alert {
	var open []Alert
	for _, a := range state {
		if a.Phase != Resolved && a.Host == host {
			a.putBack(now)
			open = append(open, a)
		}
	}
	slices.SortFunc(open, compare)
	return open
}

func compare(a, b Alert) int {
	return cmp.Or(
		cmp.Compare(a.Host, b.Host),
		cmp.Compare(a.Statistic, b.Statistic),
		cmp.Compare(a.Instance, b.Instance),
		cmp.Compare(a.Direction, b.Direction),
		a.Since.Compare(b.Since),
		cmp.Compare(a.ID, b.ID),
	)
}

// putBack sets times of an alert that lie after now to it.
func (a *Alert) putBack(now time.Time) {
	for _, t := range []*time.Time{&a.Since, &a.Raised, &a.Updated} {
		if t.After(now) {
			*t = now
		}
	}
}

// evaluation collects the outcome of one observation.
type evaluation struct {
	now     time.Time
	host    string
	text    string
	reasons map[string]string
	next    []Alert
	notices []Notice
}

// judge takes an open alert one observation further.
func (e *evaluation) judge(a Alert, rules []rule, seen *samples) {
	key := series{a.Statistic, a.Instance}
	r, limited := find(rules, a.Statistic, a.Instance, a.Direction)
	value, present := seen.values[key]
	switch {
	case !limited:
		e.end(a, LimitRemoved)
	case !present && seen.gone(key):
		e.end(a, NoLongerReported)
	case !present || !value.fits(r):
		e.next = append(e.next, a)
	case r.exceeded(value.value):
		e.advance(a, r, value)
	default:
		a.Value, a.Unit = value.value, value.unit
		e.end(a, "")
	}
}

// begin opens an alert.
func (e *evaluation) begin(key series, r rule, value sample) {
	e.advance(Alert{
		ID: digest("alert", e.host, key.statistic, key.instance, string(r.direction),
			e.now.Format(time.RFC3339Nano)),
		Host:      e.host,
		Statistic: key.statistic,
		Instance:  key.instance,
		Direction: r.direction,
		Phase:     Pending,
		Since:     e.now,
	}, r, value)
}

// advance records that an alert's limit is exceeded, and raises the alert if it is time.
func (e *evaluation) advance(a Alert, r rule, value sample) {
	a.Updated = e.now
	a.Value, a.Unit, a.Limit = value.value, value.unit, r.text(value.unit)
	if a.Statistic == VisitFailed {
		a.Text = e.text
	} else if reason := e.reasons[a.Statistic]; reason != "" {
		a.Text = reason
	}
	if a.Phase == Pending && e.now.Sub(a.Since) >= r.hold {
		a.Phase, a.Raised = Firing, e.now
		e.notify(a)
	}
	e.next = append(e.next, a)
}

// end closes an alert, and tells people if they were told of it. Without a reason its text stays as it is.
func (e *evaluation) end(a Alert, reason string) {
	if reason != "" {
		a.Text = reason
	}
	raised := a.Phase == Firing
	a.Phase, a.Ended, a.Updated = Resolved, e.now, e.now
	e.next = append(e.next, a)
	if raised {
		e.notify(a)
	}
}

func (e *evaluation) notify(a Alert) {
	e.notices = append(e.notices, Notice{ID: digest("notice", a.ID, string(a.Phase)), Alert: a})
}

func (e *evaluation) result() ([]Alert, []Notice) {
	slices.SortFunc(e.next, compare)
	slices.SortFunc(e.notices, func(a, b Notice) int { return compare(a.Alert, b.Alert) })
	return e.next, e.notices
}

// digest returns 128 bits of a SHA-256 over the parts, each led by its length so that no two lists of parts agree.
func digest(parts ...string) string {
	var message []byte
	for _, part := range parts {
		message = binary.BigEndian.AppendUint32(message, uint32(len(part)))
		message = append(message, part...)
	}
	sum := sha256.Sum256(message)
	return hex.EncodeToString(sum[:16])
}
