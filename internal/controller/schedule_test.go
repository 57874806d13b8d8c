package controller

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/visit"
)

func TestNamesFollowTheClock(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 999_999, time.FixedZone("", 3600))
	var n names
	if got, want := n.name(noon), time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("named %v, want %v", got, want)
	}
	noon = noon.Truncate(time.Millisecond)
	for _, c := range []struct {
		what      string
		now, want time.Duration // after noon
	}{
		{"the same time", 0, time.Millisecond},
		{"back a little", -time.Second, 2 * time.Millisecond},
		{"back an hour", 2*time.Millisecond - time.Hour, 3 * time.Millisecond},
		{"on", time.Minute, time.Minute},
		{"ahead", 26 * time.Hour, 26 * time.Hour},
		{"ahead still", 26*time.Hour + time.Minute, 26*time.Hour + time.Minute},
		{"back to the present", 2 * time.Minute, 2 * time.Minute},
		{"on from there", 3 * time.Minute, 3 * time.Minute},
		{"back to a name that was given", 0, 3*time.Minute + time.Millisecond}, // within the hour
		{"to what was the future", 26 * time.Hour, 26*time.Hour + time.Millisecond},
		{"and further", 26*time.Hour + time.Minute, 26*time.Hour + time.Minute + time.Millisecond},
	} {
		if got := n.name(noon.Add(c.now)).Sub(noon); got != c.want {
			t.Errorf("%s: the clock says noon %+v, the name is noon %+v, want %+v", c.what, c.now, got, c.want)
		}
	}
}

// However a clock jumps, no name is given twice, and names are never further from the clock than the hour.
func TestNamesAreGivenOnce(t *testing.T) {
	var n names
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seen := make(map[time.Time]bool)
	jumps := []time.Duration{-26 * time.Hour, 26 * time.Hour, -3 * time.Hour, 3 * time.Hour, -time.Minute, -time.Hour, time.Hour}
	for i := range 5000 {
		now = now.Add(time.Minute)
		if i%7 == 0 {
			now = now.Add(jumps[i/7%len(jumps)])
		}
		name := n.name(now)
		if seen[name] {
			t.Fatalf("%v is given twice", name)
		}
		seen[name] = true
		if off := name.Sub(now); off < 0 || off > late+time.Second {
			t.Fatalf("at %v the name is %v", now, name)
		}
	}
}

func TestNamesAreForgottenOneDay(t *testing.T) {
	var n names
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range namesKept + 10 {
		n.name(start.Add(time.Duration(i) * time.Second))
	}
	if len(n.given) != namesKept || len(n.order) != namesKept || n.taken(start) || !n.taken(start.Add(10*time.Second)) {
		t.Errorf("%d names are remembered, in a ring of %d", len(n.given), len(n.order))
	}
}

func TestAServerBeginsWhereTheLastEnded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		last     time.Time
		interval string
		known    bool
		want     start
	}{
		"the first ever":                 {want: start{}},
		"an interval ago":                {last: now.Add(-time.Hour), known: true, want: start{}},
		"long ago":                       {last: now.Add(-48 * time.Hour), known: true, want: start{}},
		"in the future":                  {last: now.Add(time.Second), known: true, want: start{}},
		"a while ago":                    {last: now.Add(-20 * time.Minute), known: true, want: start{wait: 40 * time.Minute, passed: 20 * time.Minute}},
		"in the middle":                  {last: now.Add(-time.Minute), known: true, want: start{wait: 59 * time.Minute, passed: time.Minute, resumes: true}},
		"in the middle, of another plan": {last: now.Add(-time.Minute), interval: "2h0m0s", known: true, want: start{wait: 59 * time.Minute, passed: time.Minute}},
	} {
		last := beginning{Sweep: c.last, Interval: "1h0m0s", Spread: "10m0s"}
		if c.interval != "" {
			last.Interval = c.interval
		}
		if got := startAfter(last, c.known, now, time.Hour, 10*time.Minute); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTheBeginningIsKept(t *testing.T) {
	folder := t.TempDir()
	if _, known, err := readBeginning(folder); known || err != nil {
		t.Errorf("known: %v, %v before there is any", known, err)
	}
	for i := range 2 {
		want := beginning{Sweep: time.Date(2026, 3, 1, 12, i, 0, 0, time.UTC), Interval: "1m0s", Spread: "6s"}
		if err := want.note(folder); err != nil {
			t.Fatal(err)
		}
		if got, known, err := readBeginning(folder); got != want || !known || err != nil {
			t.Errorf("read %+v, %v, %v", got, known, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("files: %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(folder, beginningFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, known, err := readBeginning(folder); known || err == nil {
		t.Errorf("known: %v, %v of a file that was cut", known, err)
	}
}

// visitTimes is a visitor that notes when each host is visited.
type visitTimes struct {
	fails map[string]bool

	mu    sync.Mutex
	times map[string][]time.Time
}

func (v *visitTimes) Visit(_ context.Context, host visit.Host, sweep time.Time) *visit.Visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.times == nil {
		v.times = make(map[string][]time.Time)
	}
	v.times[host.Name] = append(v.times[host.Name], time.Now())
	if v.fails[host.Name] {
		return visit.Failed(host, sweep, failure.New(failure.Dial, failure.Refused, fmt.Errorf("refused")))
	}
	return &visit.Visit{Host: host.Name, Sweep: sweep, Report: &report.Report{Host: host.Name}}
}

// fail has the visits to these hosts fail, and to no others.
func (v *visitTimes) fail(hosts ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fails = make(map[string]bool)
	for _, host := range hosts {
		v.fails[host] = true
	}
}

// of returns when a host was visited, counted from a moment.
func (v *visitTimes) of(host string, from time.Time) []time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	var after []time.Duration
	for _, t := range v.times[host] {
		after = append(after, t.Sub(from))
	}
	return after
}

// spreadController is a controller of n hosts with a visitor that takes no time.
func spreadController(t *testing.T, n int, server config.Server) (*Controller, *visitTimes, *heard) {
	t.Helper()
	c, _, h := newTestController(t, n, 1000)
	next := *c.plan.Load().config
	server.Parallel = 1000
	next.Server = server
	c.plan.Store(c.newPlan(&next))
	v := new(visitTimes)
	c.visitor = v
	return c, v, h
}

func serveFor(t *testing.T, c *Controller, length time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	if err := c.Serve(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestVisitsAreSpreadOverTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v, _ := spreadController(t, 600, config.Server{Interval: time.Minute, Spread: 30 * time.Second})
		begin := time.Now()
		serveFor(t, c, 170*time.Second)
		var each [30]int
		for host := range v.times {
			after := v.of(host, begin)
			if len(after) != 3 {
				t.Fatalf("%s was visited %v after the start, want three times", host, after)
			}
			if after[0] >= 30*time.Second {
				t.Errorf("%s was visited %v after the beginning of its sweep", host, after[0])
			}
			if after[1]-after[0] != time.Minute || after[2]-after[1] != time.Minute {
				t.Errorf("%s was visited %v after the start, want a minute between", host, after)
			}
			each[int(after[0]/time.Second)]++
		}
		if most := slices.Max(each[:]); len(v.times) != 600 || most > 45 {
			t.Errorf("%d of %d hosts were visited in one second, want some 20", most, len(v.times))
		}
	})
}

// A sweep is over before the next, whatever spread was asked for, and a person's is not spread at all.
func TestSpreadHasBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v, _ := spreadController(t, 100, config.Server{Interval: time.Minute, Spread: time.Minute})
		begin := time.Now()
		serveFor(t, c, 50*time.Second)
		for host := range v.times {
			if after := v.of(host, begin); after[0] > 45*time.Second {
				t.Errorf("%s was visited after %v", host, after)
			}
		}
		begin, v.times = time.Now(), nil
		if _, err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 0 || len(v.times) != 100 {
			t.Errorf("run took %v for %d hosts", took, len(v.times))
		}
	})
}

// A server that is started again and again visits each host once an interval.
func TestACrashLoopHammersNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := config.Server{Data: t.TempDir(), Interval: time.Hour, Spread: 30 * time.Minute}
		all := make(map[string][]time.Time)
		begin := time.Now()
		for i := range 13 { // up for seven minutes, and down for three: 130 minutes
			c, v, _ := spreadController(t, 200, server)
			serveFor(t, c, 7*time.Minute)
			time.Sleep(3 * time.Minute)
			for host, times := range v.times {
				all[host] = append(all[host], times...)
			}
			if i == 0 && (len(all) < 20 || len(all) > 80) {
				t.Errorf("%d of 200 hosts are visited in the first seven of 30 minutes", len(all))
			}
		}
		missed := 0
		for i := range 200 {
			times := all[fmt.Sprint("h", i)]
			missed += 3 - min(len(times), 3)
			for j := 1; j < len(times); j++ {
				if gap := times[j].Sub(times[j-1]); gap%time.Hour != 0 {
					t.Errorf("h%d was visited %v after the start", i, times[j].Sub(begin))
				}
			}
			if len(times) > 3 {
				t.Errorf("h%d was visited %d times in 130 minutes", i, len(times))
			}
		}
		// Of three sweeps (0, 60, 120 min) the last is cut short, and three of ten minutes nobody was there.
		if missed < 100 || missed > 400 {
			t.Errorf("%d visits of 600 did not take place", missed)
		}
	})
}

func TestTheScheduleOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := config.Server{Data: t.TempDir(), Interval: time.Hour}
		begin := time.Now()
		c, _, _ := spreadController(t, 3, server)
		serveFor(t, c, 61*time.Minute) // sweeps after 0 and 60 min
		log := &journalBook{t: t, changed: make(chan struct{})}
		c, v, _ := spreadController(t, 3, server)
		c.log = slog.New(slog.NewTextHandler(log, nil))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		var serving sync.WaitGroup
		serving.Go(func() { _ = c.Serve(ctx) })
		synctest.Wait()
		log.wait("the next begins when it is due")
		if next := c.Serving().Next; next.Sub(begin) != 2*time.Hour {
			t.Errorf("the next sweep is said to be %v after the start", next.Sub(begin))
		}
		serving.Wait()
		if got := v.of("h0", begin); !slices.Equal(got, []time.Duration{2 * time.Hour, 3 * time.Hour, 4 * time.Hour}) {
			t.Errorf("visits %v after the start", got)
		}
	})
}

// What can't be written down costs a sweep at the next start, and nothing else.
func TestABeginningThatCantBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c, v, _ := spreadController(t, 1, config.Server{Data: file, Interval: time.Hour})
		var log strings.Builder
		c.log = slog.New(slog.NewTextHandler(&log, nil))
		serveFor(t, c, time.Minute)
		if len(v.times["h0"]) != 1 || !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("%d visits; log: %s", len(v.times["h0"]), log.String())
		}
	})
}

// A process that was held up makes one sweep, not all that it has missed.
func TestMissedSweepsAreNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := spreadController(t, 1, config.Server{Interval: time.Minute})
		due := time.Now()
		time.Sleep(150 * time.Second)
		var made []order
		if got := c.begin(due, time.Minute, func(o order) { made = append(made, o) }); !got.Equal(due.Add(2*time.Minute)) || len(made) != 1 {
			t.Errorf("the sweep is taken for that of %v after, %d are made", got.Sub(due), len(made))
		}
	})
}
