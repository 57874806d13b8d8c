package alert_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"muster/internal/alert"
	"muster/internal/report"
)

// step is one observation of a random history, with the limits that held then.
type step struct {
	limits []alert.Limit
	seen   alert.Observation
	at     time.Duration
}

// history makes steps of what bytes say, so that a fuzzer can steer it.
func history(bytes []byte) []step {
	next := func() int {
		if len(bytes) == 0 {
			return 0
		}
		b := bytes[0]
		bytes = bytes[1:]
		return int(b)
	}
	bounds := []float64{50, 80, 0, math.NaN()}
	holds := []time.Duration{0, minute, 5 * minute, time.Hour}
	values := []float64{0, 49, 50, 51, 79, 81, 100, math.NaN(), math.Inf(1), -1}
	jumps := []time.Duration{minute, minute, minute, 0, -minute, time.Hour, -3 * time.Hour, time.Microsecond}
	if next()%2 == 0 { // a clock that only goes forward
		jumps = []time.Duration{minute, minute, 2 * minute, time.Hour, time.Microsecond}
	}
	limits := []alert.Limit{above("cpu.usage", 80, 0)}
	var steps []step
	at := time.Duration(0)
	for len(bytes) > 0 && len(steps) < 200 {
		if b := next(); b < 64 {
			limits = []alert.Limit{{Statistic: alert.VisitFailed, Above: ptr(0), For: holds[b%4]}}
			for _, name := range []string{"cpu.usage", "disk.usage", "network.sent.rate"}[:b/4%4] {
				l := alert.Limit{Statistic: name, Unit: []string{"%", ""}[b%2], For: holds[next()%4]}
				if b%3 > 0 {
					l.Above = ptr(bounds[next()%4])
				}
				if b%5 > 2 {
					l.Below, l.Instance = ptr(bounds[next()%4]), "a"
				}
				limits = append(limits, l)
			}
		}
		b := next()
		o := alert.Observation{Host: "web1", Failed: b%8 == 0, Incomplete: b%8 == 1, Text: fmt.Sprint("words ", b%3)}
		for range b / 8 % 6 {
			c := next()
			o.Statistics = append(o.Statistics, report.Statistic{
				Name:     []string{"cpu.usage", "disk.usage", "network.sent.rate", "network.sent"}[c%4],
				Instance: []string{"", "a", "b"}[c/4%3],
				Unit:     []string{"%", "%", "%", "B"}[c/12%4],
				Value:    values[next()%len(values)],
			})
		}
		at += jumps[next()%len(jumps)]
		steps = append(steps, step{limits, o, at})
	}
	return steps
}

// checkHistory runs a history twice, once in memory and once through storage, and checks what holds at every step.
func checkHistory(t *testing.T, steps []step) (raised int) {
	t.Helper()
	type series struct {
		statistic, instance string
		direction           alert.Direction
	}
	var kept, loaded []alert.Alert
	up := map[series]string{}     // what people believe: the alert that was raised last and is not over
	notified := map[string]bool{} // identifiers of notices
	moments := map[time.Duration]bool{}
	repeated := false // the clock has shown a moment twice: identifiers are made of the time and may come again
	for i, s := range steps {
		now := start.Add(s.at)
		repeated = repeated || moments[s.at]
		moments[s.at] = true
		next, notices := alert.Evaluate(s.limits, kept, s.seen, now)
		again, sameNotices := alert.Evaluate(s.limits, loaded, s.seen, now)
		if !equal(next, again) || len(notices) != len(sameNotices) {
			t.Fatalf("step %d: from storage\n%+v, in memory\n%+v", i, again, next)
		}
		for j, n := range notices {
			if sameNotices[j].ID != n.ID {
				t.Fatalf("step %d: notice %q from storage, %q in memory", i, sameNotices[j].ID, n.ID)
			}
			key := series{n.Alert.Statistic, n.Alert.Instance, n.Alert.Direction}
			switch n.Alert.Phase {
			case alert.Firing:
				if up[key] != "" {
					t.Fatalf("step %d: raised twice: %+v", i, n.Alert)
				}
				up[key] = n.Alert.ID
				raised++
			case alert.Resolved:
				if up[key] != n.Alert.ID {
					t.Fatalf("step %d: over, but not raised: %+v", i, n.Alert)
				}
				delete(up, key)
			default:
				t.Fatalf("step %d: a notice of phase %q", i, n.Alert.Phase)
			}
			if notified[n.ID] && !repeated {
				t.Fatalf("step %d: notice %s a second time", i, n.ID)
			}
			notified[n.ID] = true
		}
		checkAlerts(t, i, next, now)
		firing := 0
		for _, a := range next {
			if a.Phase == alert.Firing {
				firing++
				if up[series{a.Statistic, a.Instance, a.Direction}] != a.ID {
					t.Fatalf("step %d: fires without a notice: %+v", i, a)
				}
			}
		}
		if firing != len(up) {
			t.Fatalf("step %d: %d fire, people know of %d", i, firing, len(up))
		}
		kept, loaded = next, stored(again)
	}
	return raised
}

func checkAlerts(t *testing.T, i int, alerts []alert.Alert, now time.Time) {
	t.Helper()
	for j, a := range alerts {
		ended := a.Phase == alert.Resolved
		switch {
		case ended != !a.Ended.IsZero(), a.Phase == alert.Firing && a.Raised.IsZero(),
			a.Phase == alert.Pending && !a.Raised.IsZero():
			t.Fatalf("step %d: times that do not fit the phase: %+v", i, a)
		case ended && (a.Ended.Before(a.Since) || a.Ended.Before(a.Raised)), !a.Raised.IsZero() && a.Raised.Before(a.Since),
			a.Updated.Before(a.Since):
			t.Fatalf("step %d: times out of order: %+v", i, a)
		case math.IsNaN(a.Value) || math.IsInf(a.Value, 0):
			t.Fatalf("step %d: a value that can't be stored: %+v", i, a)
		case a.Since.After(now), a.Raised.After(now), a.Updated.After(now), a.Ended.After(now):
			t.Fatalf("step %d: a time to come: %+v", i, a)
		case j > 0 && a.Statistic < alerts[j-1].Statistic:
			t.Fatalf("step %d: not in order", i)
		}
	}
}

func equal(a, b []alert.Alert) bool {
	plain := func(alerts []alert.Alert) []alert.Alert {
		out := append([]alert.Alert{}, alerts...)
		for i := range out {
			for _, t := range []*time.Time{&out[i].Since, &out[i].Raised, &out[i].Ended, &out[i].Updated} {
				*t = t.UTC()
			}
		}
		return out
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

func TestRandomHistories(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	raised := 0
	for range 300 {
		bytes := make([]byte, 600)
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		raised += checkHistory(t, history(bytes))
	}
	if raised < 1000 {
		t.Fatalf("only %d alerts in all histories: they show nothing", raised)
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add([]byte("a history of one host"))
	f.Add([]byte{0, 9, 200, 40, 5, 0, 1, 6, 255, 8, 0, 3})
	f.Fuzz(func(t *testing.T, bytes []byte) { checkHistory(t, history(bytes)) })
}

func BenchmarkEvaluate(b *testing.B) {
	limits := []alert.Limit{
		above("cpu.usage", 90, 5*minute), above("memory.usage", 80, 0), above("disk.usage", 85, 0),
		{Statistic: alert.VisitFailed, Above: ptr(0)},
	}
	o := cpu(50)
	for i := range 100 {
		o.Statistics = append(o.Statistics, percent(fmt.Sprintf("other.%d", i), "", 1))
	}
	for i := range 8 {
		o.Statistics = append(o.Statistics, percent("disk.usage", fmt.Sprintf("/mnt/%d", i), float64(80+i)))
	}
	state, _ := alert.Evaluate(limits, nil, o, start)
	b.ReportAllocs()
	for b.Loop() {
		alert.Evaluate(limits, state, o, start.Add(minute))
	}
}
