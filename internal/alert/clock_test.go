package alert_test

import (
	"testing"
	"time"

	"muster/internal/alert"
)

func TestLateObservations(t *testing.T) {
	h := &host{t: t, limits: []alert.Limit{above("cpu.usage", 90, 0)}}
	h.expect(cpu(95), 0, "+cpu.usage")
	h.expect(cpu(10), -time.Microsecond)
	h.expect(cpu(10), -time.Hour)
	if h.phases()["cpu.usage"] != alert.Firing {
		t.Fatal("a late observation ended an alert")
	}
	// The clock was an hour and more ahead and was put right.
	h.expect(cpu(10), -time.Hour-time.Microsecond, "-cpu.usage")
	a := h.all[0]
	if a.Ended.Before(a.Raised) || a.Raised.Before(a.Since) {
		t.Fatalf("an alert that ends before it begins: %+v", a)
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
