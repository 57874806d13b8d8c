package faults_test

import (
	"fmt"
	"testing"
	"time"

	"muster/internal/faults"
)

const limitName = "file:/log, providers burst"

// burst is one of lines from first on, written in the second.
func burst(host string, first, lines, second int) faults.Burst {
	return faults.Burst{
		Host: host, Lines: faults.Lines{First: first, Last: first + lines - 1},
		Span: faults.Span{From: at(second).Add(200 * time.Millisecond), To: at(second).Add(800 * time.Millisecond)},
	}
}

// alarm is an alert that says that its records were in the second.
func alarm(id, host string, second int) faults.AlertRow {
	return faults.AlertRow{
		ID: id, Host: host, Statistic: faults.LogsMatches, Instance: limitName, State: "resolved",
		Text:  fmt.Sprintf("%s to %s UTC; the last: x", at(second).Format(time.DateTime), at(second).Format(time.TimeOnly)),
		Since: at(second + 1), Raised: at(second + 1), Ended: at(second + 8),
	}
}

// bursts returns a book that balances: a limit of more than two; of host a one burst that exceeds it, one that just does not
// and one that does; of host b one of which only two lines were stored.
func bursts() faults.Bursts {
	b := faults.Bursts{
		Bursts: []faults.Burst{burst("a", 20, 3, 40), burst("a", 2, 3, 0), burst("a", 10, 2, 20), burst("b", 2, 3, 5)},
		Above:  2,
		Limits: map[string]string{"a": limitName, "b": limitName},
		Alerts: []faults.AlertRow{alarm("1", "a", 0), alarm("2", "a", 40), {Host: "a", Statistic: faults.VisitFailed, Since: at(3)}},
		Clock:  faults.Clock{Run: faults.Span{From: at(-100), To: at(300)}},
	}
	for _, line := range []int{1, 2, 3, 4, 10, 11, 20, 21, 22, 23} {
		b.Rows = append(b.Rows, faults.RecordRow{"a", 1, int64(line), line})
	}
	b.Rows = append(b.Rows, faults.RecordRow{"b", 1, 1, 2}, faults.RecordRow{"b", 1, 2, 4}, faults.RecordRow{"b", 2, 1, 4})
	for second := range 60 {
		for _, host := range []string{"a", "b"} {
			b.Visits = append(b.Visits, faults.VisitRow{Host: host, Outcome: "ok", Started: at(second)})
		}
	}
	return b
}

// blind has the host not be visited well from one second to another.
func blind(b *faults.Bursts, from, to int) {
	for i := range b.Visits {
		if v := &b.Visits[i]; !v.Started.Before(at(from)) && !v.Started.After(at(to)) {
			v.Outcome = "failed"
		}
	}
}

func TestBursts(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(*faults.Bursts)
		titles []string
		notes  int
	}{
		"all is well":        {func(*faults.Bursts) {}, nil, 1},
		"the first is lost":  {func(b *faults.Bursts) { b.Alerts = b.Alerts[1:] }, []string{faults.BurstUntold}, 1},
		"the second is lost": {func(b *faults.Bursts) { b.Alerts = b.Alerts[:1] }, []string{faults.BurstUntold}, 1},
		"all are lost":       {func(b *faults.Bursts) { b.Alerts = nil }, []string{faults.BurstUntold, faults.BurstUntold}, 1},
		"never raised":       {func(b *faults.Bursts) { b.Alerts[0].Raised = time.Time{} }, []string{faults.BurstUntold}, 1},
		"twice": {func(b *faults.Bursts) {
			b.Alerts = append(b.Alerts, alarm("3", "a", 0))
		}, []string{faults.BurstToldTwice}, 1},
		"of one that just does not exceed": {func(b *faults.Bursts) {
			b.Alerts = append(b.Alerts, alarm("3", "a", 20))
		}, []string{faults.AlertOfNoBurst}, 1},
		"of one that was destroyed in part": {func(b *faults.Bursts) {
			b.Alerts = append(b.Alerts, alarm("3", "b", 5))
		}, []string{faults.AlertOfNoBurst}, 1},
		"of nothing": {func(b *faults.Bursts) {
			b.Alerts = append(b.Alerts, alarm("3", "a", 10))
		}, []string{faults.AlertOfNoBurst}, 1},
		"of another host's": {func(b *faults.Bursts) {
			b.Alerts = append(b.Alerts, alarm("3", "b", 0))
		}, []string{faults.AlertOfNoBurst}, 1},
		"of a host without log": {func(b *faults.Bursts) {
			b.Alerts = append(b.Alerts, alarm("3", "c", 0))
		}, []string{faults.AlertElsewhere}, 1},
		"of another limit": {func(b *faults.Bursts) {
			b.Alerts[0].Instance = "journal"
		}, []string{faults.AlertElsewhere, faults.BurstUntold}, 1},
		"without words": {func(b *faults.Bursts) {
			b.Alerts[0].Text = "limit removed"
		}, []string{faults.AlertOfNoBurst, faults.BurstUntold}, 1},
		"its words are no times": {func(b *faults.Bursts) {
			b.Alerts[0].Text = "2026-99-01 12:00:00 to 12:00:00 UTC; x"
			b.Alerts[1].Text = "2026-03-01 12:00:00 to 12:99:00 UTC; x"
		}, []string{faults.AlertOfNoBurst, faults.BurstUntold, faults.AlertOfNoBurst, faults.BurstUntold}, 1},
		"all of its lines are stored": {func(b *faults.Bursts) {
			b.Rows = append(b.Rows, faults.RecordRow{"b", 2, 9, 3})
		}, []string{faults.BurstUntold}, 0},
		"one alert of two, while nobody came": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[1:]
			blind(b, 0, 40)
		}, nil, 2},
		"one visit came": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[1:]
			blind(b, 17, 40)
		}, nil, 2},
		"two visits came": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[1:]
			blind(b, 18, 40)
		}, []string{faults.BurstUntold}, 1},
		"two came, at another time of the server's": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[1:]
			b.Clock.Jumps = []faults.Span{{From: at(18), To: at(36)}}
		}, nil, 2},
		"the first of two, while nobody came": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[:1]
			blind(b, 0, 40)
		}, []string{faults.BurstUntold}, 1},
		"the larger of two, while nobody came": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[:1]
			b.Bursts[1].Lines.First = 1
			blind(b, 0, 40)
		}, nil, 2},
		"the larger of two, and visits came": {func(b *faults.Bursts) {
			b.Alerts = b.Alerts[:1]
			b.Bursts[1].Lines.First = 1
		}, []string{faults.BurstUntold}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := bursts()
			test.spoil(&b)
			balance := b.Balance()
			want(t, balance, test.titles...)
			if len(balance.Notes) != test.notes {
				t.Errorf("notes: %q", balance.Notes)
			}
			if balance.Entries != 4 {
				t.Errorf("%d entries", balance.Entries)
			}
		})
	}
}

// A burst over midnight is found by the alert's words, which say the day once.
func TestABurstOverMidnight(t *testing.T) {
	midnight := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	b := bursts()
	b.Bursts[0].Span = faults.Span{From: midnight.Add(time.Second / 2), To: midnight.Add(time.Second)}
	b.Alerts[1].Text = "2026-03-01 23:59:59 to 00:00:01 UTC; the last: x"
	want(t, b.Balance())
	b.Bursts[0].Span = faults.Span{From: midnight.Add(2 * time.Second), To: midnight.Add(3 * time.Second)}
	want(t, b.Balance(), faults.AlertOfNoBurst, faults.BurstUntold)
}
