package store

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"muster/internal/report"
)

// testHostsForward delivers five visits of a host in many orders and groupings: the host must always look the same.
func testHostsForward(t *testing.T, x *target) {
	s := x.open(t)
	at := func(minute int) time.Time { return noon().Add(time.Duration(minute) * time.Minute) }
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 10 {
		name := "host" + string(rune('a'+round))
		visits := []Visit{broken(name, at(0))}
		for minute, system := range []string{"first", "second", "third"} {
			v := one(name, at(minute+1), report.Statistic{Name: "uptime", Unit: "s", Value: float64(minute)})
			v.Report.OS, v.Groups = system, system
			visits = append(visits, v)
		}
		visits = append(visits, broken(name, at(4)))
		random.Shuffle(len(visits), func(i, j int) { visits[i], visits[j] = visits[j], visits[i] })
		cut := random.IntN(len(visits) + 1)
		save(t, s, visits[:cut]...)
		save(t, s, visits[cut:]...)

		h := readHost(t, s, name)
		if h.VisitSweep != at(4).UnixMilli() || !h.Visited.Equal(at(4).Add(time.Second)) || h.GroupPath != "" ||
			h.VisitID != visits[slices.IndexFunc(visits, func(v Visit) bool { return v.Sweep.Equal(at(4)) })].ID {
			t.Errorf("round %d: the last visit is %+v", round, h)
		}
		if h.SucceededSweep == nil || *h.SucceededSweep != at(3).UnixMilli() || h.OS != "third" ||
			!h.Succeeded.Equal(at(3).Add(time.Second)) {
			t.Errorf("round %d: the last success is %+v", round, h)
		}
	}
}

// testHostsClock has the server's clock jump years ahead for one visit. As soon as it is right again the host must look as
// it does then, whether the visits come one by one or at once, and a repeated delivery of a little while ago changes nothing.
func testHostsClock(t *testing.T, x *target) {
	s := x.open(t)
	at := func(minute int) time.Time { return noon().Add(time.Duration(minute) * time.Minute) }
	for name, split := range map[string]bool{"onebyone": true, "atonce": false} {
		ahead := one(name, noon().AddDate(10, 0, 0), report.Statistic{Name: "uptime", Unit: "s", Value: 1})
		ahead.Report.OS = "ahead"
		success := one(name, at(0), report.Statistic{Name: "uptime", Unit: "s", Value: 2})
		success.Report.OS = "now"
		visits := []Visit{ahead, success, broken(name, at(1)), broken(name, at(-58))}
		if split {
			for _, v := range visits {
				save(t, s, v)
			}
		} else {
			save(t, s, visits...)
		}
		h := readHost(t, s, name)
		if h.VisitSweep != at(1).UnixMilli() || !h.Visited.Equal(at(1).Add(time.Second)) {
			t.Errorf("%s: the last visit is %+v", name, h)
		}
		if h.SucceededSweep == nil || *h.SucceededSweep != at(0).UnixMilli() || h.OS != "now" ||
			!h.Succeeded.Equal(at(0).Add(time.Second)) {
			t.Errorf("%s: the last success is %+v", name, h)
		}
	}
}

func testSweeps(t *testing.T, x *target) {
	s := x.open(t)
	sweep := Sweep{Time: noon(), Started: noon().Add(time.Second), Hosts: 10}
	ended := sweep
	ended.Ended, ended.Visited, ended.Failed = noon().Add(time.Minute), 10, 3

	save(t, s, fleet(noon(), 1, 1)...) // visits may come before their sweep
	if n := count(t, s, "samples"); n != 1 {
		t.Errorf("without SaveSweep samples has %d rows, want 1", n)
	}
	for i, step := range []struct{ save, want Sweep }{
		{sweep, sweep},
		{ended, ended},
		{sweep, ended}, // late
		{ended, ended},
	} {
		if err := s.SaveSweep(t.Context(), step.save); err != nil {
			t.Fatal(err)
		}
		var row sweepRow
		if err := s.db.Take(&row).Error; err != nil {
			t.Fatal(err)
		}
		got := Sweep{
			Time: time.UnixMilli(row.SweepTime).UTC(), Started: fromNullable(row.Started), Ended: fromNullable(row.Ended),
			Hosts: row.Hosts, Visited: row.Visited, Failed: row.Failed,
		}
		if got != step.want {
			t.Errorf("step %d: the sweep is %+v, want %+v", i, got, step.want)
		}
	}
	if got := queryOne[time.Time](t, s, "SELECT time FROM sweeps"); !got.Equal(noon()) {
		t.Errorf("sweeps.time is %v, want %v", got, noon())
	}
	save(t, s, one("host", noon().Add(123*time.Millisecond), report.Statistic{Name: "uptime", Unit: "s", Value: 1}))
	if n := count(t, s, "sweeps"); n != 2 {
		t.Errorf("two sweeps within a second are %d rows", n)
	}
	if err := s.SaveSweep(t.Context(), Sweep{}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("a sweep without time: %v, want a permanent error", err)
	}
}

func readHost(t *testing.T, s *Store, name string) hostRow {
	t.Helper()
	var h hostRow
	if err := s.db.Where("name = ?", name).Take(&h).Error; err != nil {
		t.Fatal(err)
	}
	h.Visited = h.Visited.UTC()
	if h.Succeeded != nil {
		*h.Succeeded = h.Succeeded.UTC()
	}
	return h
}
