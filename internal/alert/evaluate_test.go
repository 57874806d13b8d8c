package alert_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"muster/internal/alert"
	"muster/internal/report"
)

// A moment with more digits than a database keeps, in a zone that is not UTC.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600))

func ptr(v float64) *float64 { return &v }

func above(statistic string, bound float64, hold time.Duration) alert.Limit {
	return alert.Limit{Statistic: statistic, Unit: "%", Above: ptr(bound), For: hold}
}

func percent(name, instance string, value float64) report.Statistic {
	return report.Statistic{Name: name, Instance: instance, Unit: "%", Kind: report.Gauge, Value: value}
}

func seen(statistics ...report.Statistic) alert.Observation {
	return alert.Observation{Host: "web1", Statistics: statistics}
}

func cpu(value float64) alert.Observation { return seen(percent("cpu.usage", "", value)) }

func failed(words string) alert.Observation {
	return alert.Observation{Host: "web1", Failed: true, Text: words}
}

// host is a host's state between observations, kept as a database keeps it.
type host struct {
	t      *testing.T
	limits []alert.Limit
	state  []alert.Alert
	all    []alert.Alert // of the last observation, with those it ended
}

// observe takes one observation and says what people were told: "+" and "-" with statistic and instance.
func (h *host) observe(o alert.Observation, at time.Duration) []string {
	h.t.Helper()
	var notices []alert.Notice
	before := append([]alert.Alert(nil), h.state...)
	h.all, notices = alert.Evaluate(h.limits, h.state, o, start.Add(at))
	if !reflect.DeepEqual(before, h.state) && len(before) > 0 {
		h.t.Fatal("Evaluate changed the state it was given")
	}
	h.state = stored(h.all)
	return told(notices)
}

func told(notices []alert.Notice) []string {
	var words []string
	for _, n := range notices {
		sign := map[alert.Phase]string{alert.Firing: "+", alert.Resolved: "-"}[n.Alert.Phase]
		word := sign + n.Alert.Statistic
		if n.Alert.Instance != "" {
			word += " " + n.Alert.Instance
		}
		if n.Alert.Phase == alert.Resolved && n.Alert.Text != "" {
			word += ": " + n.Alert.Text
		}
		words = append(words, word)
	}
	return words
}

// stored returns what comes back from a database: the open alerts, their times in another location and in microseconds.
func stored(alerts []alert.Alert) []alert.Alert {
	elsewhere := time.FixedZone("elsewhere", -7200)
	var open []alert.Alert
	for _, a := range alerts {
		if a.Phase == alert.Resolved {
			continue
		}
		for _, t := range []*time.Time{&a.Since, &a.Raised, &a.Ended, &a.Updated} {
			if !t.IsZero() {
				*t = t.Truncate(time.Microsecond).In(elsewhere)
			}
		}
		open = append(open, a)
	}
	return open
}

func (h *host) expect(o alert.Observation, at time.Duration, want ...string) {
	h.t.Helper()
	if got := h.observe(o, at); !reflect.DeepEqual(got, want) {
		h.t.Fatalf("after %v: told %q, want %q", at, got, want)
	}
}

func (h *host) phases() map[string]alert.Phase {
	phases := map[string]alert.Phase{}
	for _, a := range h.state {
		phases[a.Statistic+a.Instance] = a.Phase
	}
	return phases
}

const minute = time.Minute

func TestForIsJudgedAtObservations(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 5*minute)}}
	h.expect(cpu(90), 0) // equal is not exceeded
	if len(h.state) != 0 {
		t.Fatal("a value at its limit made an alert")
	}
	h.expect(cpu(90.1), 1*minute)
	h.expect(cpu(99), 5*minute)
	h.expect(cpu(99), 6*minute-time.Microsecond)
	h.expect(cpu(80), 6*minute) // resets
	if a := h.all[0]; a.Phase != alert.Resolved || !a.Raised.IsZero() || a.Ended.IsZero() {
		t.Fatalf("a pending alert that is over: %+v", a)
	}
	h.expect(cpu(91), 7*minute)
	h.expect(cpu(97), 12*minute, "+cpu.usage")
	h.expect(cpu(96), 13*minute)
	h.expect(cpu(10), 14*minute, "-cpu.usage")
	h.expect(cpu(10), 15*minute)
}

func TestAnAlertHoldsWhatPeopleNeed(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("disk.usage", 85, 5*minute)}}
	h.observe(seen(percent("disk.usage", "/var", 86)), 0)
	h.observe(seen(percent("disk.usage", "/var", 93.4)), 5*minute)
	utc := func(d time.Duration) time.Time { return start.Add(d).UTC().Truncate(time.Microsecond) }
	want := alert.Alert{
		ID: h.all[0].ID, Host: "web1", Statistic: "disk.usage", Instance: "/var", Direction: alert.Above, Unit: "%",
		Limit: "above 85 % for 5m", Phase: alert.Firing, Since: utc(0), Raised: utc(5 * minute), Value: 93.4,
		Updated: utc(5 * minute),
	}
	want.Since = h.all[0].Since // equal, though of another location: it was stored
	if got := h.all[0]; got != want || !got.Since.Equal(utc(0)) || len(got.ID) != 32 {
		t.Fatalf("firing\n%+v, want\n%+v", got, want)
	}
	h.observe(seen(percent("disk.usage", "/var", 50)), 65*minute)
	got := h.all[0]
	if got.Phase != alert.Resolved || got.Value != 50 || got.ID != want.ID || !got.Ended.Equal(utc(65*minute)) ||
		got.Ended.Sub(got.Since) != 65*minute || got.Text != "" {
		t.Fatalf("resolved: %+v", got)
	}
}

func TestForZeroFiresAtOnce(t *testing.T) {
	for _, hold := range []time.Duration{0, -minute} {
		h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, hold)}}
		h.expect(cpu(91), 0, "+cpu.usage")
		h.expect(cpu(89), 0, "-cpu.usage")
	}
}

func TestBelowAndAboveAreTwoAlerts(t *testing.T) {
	limit := alert.Limit{Statistic: "temperature", Unit: "Cel", Above: ptr(80), Below: ptr(5)}
	h := &host{t: t, limits: []alert.Limit{limit}}
	at := func(v float64) alert.Observation {
		return seen(report.Statistic{Name: "temperature", Instance: "cpu0", Unit: "Cel", Value: v})
	}
	h.expect(at(5), 0)
	h.expect(at(4.9), 1*minute, "+temperature cpu0")
	if a := h.state[0]; a.Direction != alert.Below || a.Limit != "below 5 °C" {
		t.Fatalf("below: %+v", a)
	}
	h.expect(at(81), 2*minute, "+temperature cpu0", "-temperature cpu0")
	if a := h.state[0]; a.Direction != alert.Above || a.Limit != "above 80 °C" || len(h.state) != 1 {
		t.Fatalf("above: %+v", h.state)
	}
	h.expect(at(20), 3*minute, "-temperature cpu0")
}

func TestInstances(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{
		{Statistic: "disk.usage", Instance: "/var", Unit: "%", Above: ptr(60)},
		above("disk.usage", 99, 0),
		above("disk.usage", 80, 0), // the later of two that are the same holds
		{Statistic: "disk.usage", Instance: "/backup", Unit: "%", Above: ptr(95)},
		{Statistic: "disk.usage", Instance: "/backup", Unit: "%", Below: ptr(1)},
	}}
	h.expect(seen(percent("disk.usage", "/", 81), percent("disk.usage", "/var", 61), percent("disk.usage", "/backup", 90)),
		0, "+disk.usage /", "+disk.usage /var")
	h.expect(seen(percent("disk.usage", "/", 79), percent("disk.usage", "/var", 61), percent("disk.usage", "/backup", 96)),
		1*minute, "-disk.usage /", "+disk.usage /backup")
	h.expect(seen(percent("disk.usage", "/", 79), percent("disk.usage", "/var", 60), percent("disk.usage", "/backup", 0)),
		2*minute, "-disk.usage /backup", "+disk.usage /backup", "-disk.usage /var")
}

func TestFailedVisitHoldsTheOthers(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{
		above("cpu.usage", 90, 5*minute), above("memory.usage", 80, 0),
		{Statistic: alert.VisitFailed, Above: ptr(0)},
	}}
	h.expect(seen(percent("cpu.usage", "", 95), percent("memory.usage", "", 85)), 0, "+memory.usage")
	o := failed("dial: connection refused")
	o.Statistics = []report.Statistic{percent("memory.usage", "", 1), percent("cpu.usage", "", 99)}
	h.expect(o, 10*minute, "+visit.failed")
	want := map[string]alert.Phase{
		"cpu.usage": alert.Pending, "memory.usage": alert.Firing, "visit.failed": alert.Firing,
	}
	if got := h.phases(); !reflect.DeepEqual(got, want) {
		t.Fatalf("after a failed visit: %v, want %v", got, want)
	}
	h.expect(failed("handshake: timeout"), 11*minute)
	for _, a := range h.state {
		if a.Statistic == alert.VisitFailed && (a.Text != "handshake: timeout" || a.Value != 1 || a.Limit != "above 0") {
			t.Fatalf("%+v", a)
		}
		if a.Statistic == "cpu.usage" && !a.Updated.Equal(h.state[0].Since) {
			t.Fatalf("a failed visit updated %+v", a)
		}
	}
	h.expect(seen(percent("cpu.usage", "", 95), percent("memory.usage", "", 85)), 12*minute,
		"+cpu.usage", "-visit.failed: handshake: timeout")
}

func TestAHostCannotReportVisitFailed(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{{Statistic: alert.VisitFailed, Above: ptr(0)}}}
	h.expect(seen(report.Statistic{Name: alert.VisitFailed, Unit: "1", Value: 1}), 0)
	h.expect(failed("x"), minute, "+visit.failed")
	h.expect(seen(report.Statistic{Name: alert.VisitFailed, Unit: "1", Value: 1}), 2*minute, "-visit.failed: x")
}

func TestSeriesThatIsGone(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("disk.usage", 80, 0), above("swap.usage", 50, 10*minute)}}
	h.expect(seen(percent("disk.usage", "/mnt", 90), percent("swap.usage", "", 60)), 0, "+disk.usage /mnt")
	partial := seen(percent("disk.usage", "/", 10))
	partial.Incomplete = true
	h.expect(partial, 1*minute)
	if len(h.state) != 2 {
		t.Fatalf("an incomplete report ended an alert: %+v", h.all)
	}
	h.expect(seen(percent("disk.usage", "/", 10)), 2*minute, "-disk.usage /mnt: no longer reported")
	if len(h.state) != 0 || h.all[0].Value != 90 {
		t.Fatalf("after a complete report without the series: %+v", h.all)
	}
}

// After a restart of the host a report has counters and nothing to compare them with.
func TestDerivedSeriesThatIsNotThereYetIsHeld(t *testing.T) {
	rate := func(v float64) report.Statistic {
		return report.Statistic{Name: "network.received.rate", Instance: "eth0", Unit: "B/s", Value: v}
	}
	counter := report.Statistic{Name: "network.received", Instance: "eth0", Unit: "B", Kind: report.Counter, Value: 1}
	time := report.Statistic{Name: "cpu.time", Instance: "idle", Unit: "s", Kind: report.Counter, Value: 1}
	h := &host{t: t, limits: []alert.Limit{
		{Statistic: "network.received.rate", Unit: "B/s", Above: ptr(1e6)}, above("cpu.usage", 90, 0),
	}}
	h.expect(seen(counter, rate(2e6), time, percent("cpu.usage", "", 95)), 0, "+cpu.usage", "+network.received.rate eth0")
	h.expect(seen(counter, time), 1*minute)
	other := counter
	other.Instance = "eth1"
	h.expect(seen(other, time), 2*minute, "-network.received.rate eth0: no longer reported")
	h.expect(seen(other), 3*minute, "-cpu.usage: no longer reported")
}

func TestWhatCannotBeComparedIsHeld(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 0)}}
	bytes := report.Statistic{Name: "cpu.usage", Unit: "B", Value: 1e9}
	h.expect(seen(bytes), 0)
	h.expect(cpu(math.Inf(1)), 0)
	h.expect(cpu(95), 0, "+cpu.usage")
	bytes.Value = 0
	for i, o := range []alert.Observation{seen(bytes), cpu(math.NaN()), cpu(math.Inf(-1))} {
		h.expect(o, time.Duration(i)*minute)
		if h.phases()["cpu.usage"] != alert.Firing {
			t.Fatalf("observation %d ended the alert", i)
		}
	}
	h.expect(seen(percent("cpu.usage", "", 1), percent("cpu.usage", "", 99)), 4*minute, "-cpu.usage") // the first counts
}

func TestLimitChanges(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 0), above("memory.usage", 90, 10*minute)}}
	h.expect(seen(percent("cpu.usage", "", 95), percent("memory.usage", "", 95)), 0, "+cpu.usage")
	first := h.state[0].ID

	h.limits[0] = above("cpu.usage", 80, 10*minute) // a longer "for" doesn't take a firing alert back
	h.limits[1] = above("memory.usage", 92, minute)
	h.expect(seen(percent("cpu.usage", "", 95), percent("memory.usage", "", 95)), minute, "+memory.usage")
	if a := h.state[0]; a.ID != first || a.Phase != alert.Firing || a.Limit != "above 80 % for 10m" {
		t.Fatalf("after a change: %+v", a)
	}
	h.limits[0] = above("cpu.usage", 97, 0)
	h.expect(seen(percent("cpu.usage", "", 95), percent("memory.usage", "", 95)), 2*minute, "-cpu.usage")

	h.limits = []alert.Limit{{Statistic: "memory.usage", Unit: "%", Below: ptr(1)}} // the other direction is another limit
	h.expect(failed("x"), 3*minute, "-memory.usage: limit removed")
}

func TestPendingWhoseLimitIsRemovedEndsInSilence(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, minute)}}
	h.expect(cpu(95), 0)
	h.limits = nil
	h.expect(cpu(95), minute)
	if len(h.all) != 1 || h.all[0].Phase != alert.Resolved || h.all[0].Text != alert.LimitRemoved {
		t.Fatalf("%+v", h.all)
	}
}

func TestForget(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 0), above("memory.usage", 80, minute)}}
	h.observe(seen(percent("cpu.usage", "", 95), percent("memory.usage", "", 95)), 0)
	next, notices := alert.Forget(h.all, start.Add(minute))
	if got := told(notices); !reflect.DeepEqual(got, []string{"-cpu.usage: host removed"}) || len(next) != 2 {
		t.Fatalf("Forget: %q, %+v", got, next)
	}
	if next, notices = alert.Forget(next, start); len(next) != 0 || len(notices) != 0 {
		t.Fatalf("Forget of resolved alerts: %+v %+v", next, notices)
	}
}

func TestTheSameAgainGivesTheSame(t *testing.T) {
	limits := []alert.Limit{above("disk.usage", 80, 0)}
	o := seen(percent("disk.usage", "/", 90), percent("disk.usage", "/b", 91))
	one, n1 := alert.Evaluate(limits, nil, o, start)
	two, n2 := alert.Evaluate(limits, nil, o, start)
	if !reflect.DeepEqual(one, two) || !reflect.DeepEqual(n1, n2) || len(n1) != 2 {
		t.Fatalf("two results of one observation:\n%+v\n%+v", n1, n2)
	}
	if n1[0].ID == n1[1].ID || one[0].ID == one[1].ID || n1[0].ID == one[0].ID {
		t.Fatal("identifiers of different things are the same")
	}
	// On top of its own result, an observation that comes a second time tells nobody anything.
	again, notices := alert.Evaluate(limits, one, o, start)
	if len(notices) != 0 || !reflect.DeepEqual(again, one) {
		t.Fatalf("evaluated on its own result: %+v", notices)
	}
	// The order in which a host lists its series does not matter.
	o.Statistics[0], o.Statistics[1] = o.Statistics[1], o.Statistics[0]
	if three, n3 := alert.Evaluate(limits, nil, o, start); !reflect.DeepEqual(one, three) || !reflect.DeepEqual(n1, n3) {
		t.Fatal("the order of the statistics changed the result")
	}
	ended, n4 := alert.Evaluate(limits, one, seen(percent("disk.usage", "/", 1), percent("disk.usage", "/b", 1)), start)
	if len(n4) != 2 || n4[0].ID == n1[0].ID || ended[0].ID != one[0].ID {
		t.Fatalf("the end of an alert: %+v", n4)
	}
	later, _ := alert.Evaluate(limits, nil, o, start.Add(time.Microsecond))
	if later[0].ID == one[0].ID {
		t.Fatal("another alert has the same identifier")
	}
}

// Identifiers are stored and become message ids: they must not change from one version to the next.
func TestIdentifiersAreStable(t *testing.T) {
	_, notices := alert.Evaluate([]alert.Limit{above("cpu.usage", 90, 0)}, nil, cpu(95), start)
	const id, notice = "d4a707a1c037f028a3af5d97bc28e60e", "93b2fef6dd9f0ad8baf971a5c75050db"
	if n := notices[0]; n.Alert.ID != id || n.ID != notice {
		t.Fatalf("alert %q, notice %q", n.Alert.ID, n.ID)
	}
}

func TestStateOfOthersAndDoublesAreHarmless(t *testing.T) {
	limits := []alert.Limit{above("cpu.usage", 90, 0)}
	mine, _ := alert.Evaluate(limits, nil, cpu(95), start)
	theirs := mine[0]
	theirs.Host = "web2"
	double := mine[0]
	double.ID, double.Since = "another", double.Since.Add(minute)
	next, notices := alert.Evaluate(limits, []alert.Alert{double, theirs, mine[0]}, cpu(95), start.Add(2*minute))
	if len(next) != 2 || next[0].ID != mine[0].ID || next[0].Phase != alert.Firing || next[1].Phase != alert.Resolved {
		t.Fatalf("next: %+v", next)
	}
	if len(notices) != 1 || notices[0].Alert.ID != "another" {
		t.Fatalf("notices: %+v", notices)
	}
}

func TestLimitWithoutUnit(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{{Statistic: "memory.used", Above: ptr(1024 * 1024)}}}
	h.expect(seen(report.Statistic{Name: "memory.used", Unit: "B", Value: 2e6}), 0, "+memory.used")
	if a := h.state[0]; a.Limit != "above 1 MiB" || a.Unit != "B" {
		t.Fatalf("%+v", a)
	}
}

// A value that counts what there was in so long is told with that time.
func TestWithin(t *testing.T) {
	limit := alert.Limit{Statistic: "logs.matches", Instance: "Security 4625", Unit: "1", Above: ptr(10), Within: 10 * time.Minute}
	next, notices := alert.Evaluate([]alert.Limit{limit}, nil,
		seen(report.Statistic{Name: "logs.matches", Instance: "Security 4625", Unit: "1", Value: 11}), start)
	if len(next) != 1 || len(notices) != 1 || next[0].Limit != "above 10 within 10m" || next[0].Phase != alert.Firing {
		t.Errorf("%+v, %+v", next, notices)
	}
}
