package alert_test

import (
	"testing"
	"time"

	"muster/internal/alert"
)

// A clock that is put back, by however little, hides nothing: neither what goes on nor what begins.
func TestClockThatIsPutBack(t *testing.T) {
	for _, back := range []time.Duration{time.Microsecond, time.Minute, 59 * minute, time.Hour, 26 * time.Hour} {
		h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 0), above("memory.usage", 80, 0), {Statistic: alert.VisitFailed, Above: ptr(0)}}}
		h.expect(cpu(95), 0, "+cpu.usage")
		h.expect(failed("refused"), -back, "+visit.failed")
		for _, a := range h.state {
			if now := start.Add(-back).Truncate(time.Microsecond); !a.Since.Equal(now) || !a.Raised.Equal(now) || !a.Updated.Equal(now) {
				t.Errorf("put back by %v: times to come: %+v", back, a)
			}
		}
		h.expect(cpu(10), time.Second-back, "-cpu.usage", "-visit.failed: refused")
		for _, a := range h.all {
			if a.Ended.Before(a.Raised) || a.Raised.Before(a.Since) {
				t.Errorf("put back by %v: an alert that ends before it begins: %+v", back, a)
			}
		}
	}
}

func TestClockThatWasPutRightDoesNotStopPending(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 5*minute)}}
	year := 365 * 24 * time.Hour
	h.expect(cpu(95), year)
	h.expect(cpu(95), 0)
	h.expect(cpu(95), 4*minute)
	h.expect(cpu(95), 5*minute, "+cpu.usage")
	if a := h.state[0]; !a.Since.Equal(start.Truncate(time.Microsecond)) {
		t.Fatalf("since %v", a.Since)
	}
}
