package store

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func someAlert(id string) Alert {
	return Alert{
		ID: id, Host: "web1", Statistic: "cpu.usage", Instance: "", Direction: "above", Unit: "%", Limit: "above 90% for 5m", State: "pending",
		Since: noon(), Value: 95.5, Text: "", Updated: noon().Add(time.Minute),
	}
}

func testAlerts(t *testing.T, x *target) {
	s := x.open(t)
	if alerts, err := s.Alerts(t.Context()); err != nil || len(alerts) != 0 {
		t.Fatalf("a new database has alerts %v, %v", alerts, err)
	}
	a, b, c := someAlert("a"), someAlert("b"), someAlert("c")
	b.Host, b.State, b.Raised = "db1", "firing", noon().Add(5*time.Minute+1234*time.Microsecond)
	b.Statistic, b.Instance, b.Text = "disk.usage", "/var", "it's \"full\""
	c.State, c.Ended = "resolved", noon().Add(time.Hour) // it was never raised: nobody need be told
	if err := s.SaveAlerts(t.Context(), []Alert{a, b, c}); err != nil {
		t.Fatal(err)
	}
	checkAlerts(t, s, b, a) // by host

	a.State, a.Raised, a.Value, a.Updated = "firing", noon().Add(6*time.Minute), 99, noon().Add(6*time.Minute)
	b.State, b.Ended, b.Updated = "resolved", noon().Add(7*time.Minute), noon().Add(7*time.Minute)
	a.Notified, b.Notified = "firing", "firing"
	if err := s.SaveAlerts(t.Context(), []Alert{a, b}); err != nil {
		t.Fatal(err)
	}
	checkAlerts(t, s, b, a) // those who were told that b fires are still to be told that it is over

	b.Notified = "resolved"
	if err := s.SaveAlerts(t.Context(), []Alert{b}); err != nil {
		t.Fatal(err)
	}
	checkAlerts(t, s, a)
	if n := count(t, s, "alerts"); n != 3 {
		t.Errorf("%d alerts are stored, want 3", n)
	}
	if err := s.SaveAlerts(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func checkAlerts(t *testing.T, s *Store, want ...Alert) {
	t.Helper()
	got, err := s.Alerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the alerts are\n%+v, want\n%+v", got, want)
	}
}

// testAlertsLastWrite has the clock put back between two changes of an alert: no change is lost.
func testAlertsLastWrite(t *testing.T, x *target) {
	s := x.open(t)
	early, late := someAlert("a"), someAlert("a")
	late.Since, late.Updated = noon().Add(time.Hour), noon().Add(time.Hour)
	early.Host, early.Statistic, early.Instance, early.Direction, early.Unit = "web2", "disk.usage", "/var", "below", "B"
	early.State, early.Raised, early.Ended, early.Value = "firing", noon(), noon().Add(time.Second), 97
	early.Notified, early.Limit, early.Text = "firing", "above 95%", "early"
	for i, step := range []struct {
		save []Alert
		want Alert
	}{
		{[]Alert{late}, late},
		{[]Alert{early}, early},
		{[]Alert{late}, late},
		{[]Alert{late, early}, early},
		{[]Alert{early, late}, late},
	} {
		if err := s.SaveAlerts(t.Context(), step.save); err != nil {
			t.Fatal(err)
		}
		t.Log("step", i)
		checkAlerts(t, s, step.want)
	}
}

func testInvalidAlerts(t *testing.T, x *target) {
	s := x.open(t)
	for name, spoil := range map[string]func(*Alert){
		"no id":       func(a *Alert) { a.ID = "" },
		"no since":    func(a *Alert) { a.Since = time.Time{} },
		"no updated":  func(a *Alert) { a.Updated = time.Time{} },
		"not a value": func(a *Alert) { a.Value = math.NaN() },
		"infinite":    func(a *Alert) { a.Value = math.Inf(-1) },
	} {
		a := someAlert("the-alert")
		spoil(&a)
		err := s.SaveAlerts(t.Context(), []Alert{someAlert("good"), a})
		if err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want a permanent error", name, err)
		} else if !strings.Contains(err.Error(), "the-alert") && !strings.Contains(err.Error(), "web1") {
			t.Errorf("%s: the error names neither alert nor host: %v", name, err)
		}
	}
	if n := count(t, s, "alerts"); n != 0 {
		t.Errorf("%d alerts of refused calls are stored", n)
	}
}
