package controller

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/visit"
)

func TestGapsDoubleUpToTheBound(t *testing.T) {
	for _, c := range []struct {
		interval, most time.Duration
		least, longest []int // after 1, 2, … failures
	}{
		{time.Minute, 5 * time.Minute, []int{1, 2, 4, 4, 4}, []int{1, 2, 4, 5, 5}},
		{time.Minute, time.Hour, []int{1, 2, 4, 7, 13, 26, 48, 48}, []int{1, 2, 4, 8, 16, 32, 60, 60}},
		{2 * time.Minute, 5 * time.Minute, []int{1, 2, 2}, []int{1, 2, 2}}, // never longer than the bound
		{3 * time.Minute, 5 * time.Minute, []int{1, 1}, []int{1, 1}},
		{time.Hour, 5 * time.Minute, []int{1, 1, 1}, []int{1, 1, 1}},
		{time.Minute, 0, []int{1, 1, 1}, []int{1, 1, 1}},
	} {
		for i := range c.least {
			got := make(map[int]bool)
			for range 300 {
				got[gap(i+1, c.interval, c.most)] = true
			}
			for n := range got {
				if n < c.least[i] || n > c.longest[i] {
					t.Errorf("every %v, at most %v: the gap after %d failures is %d intervals", c.interval, c.most, i+1, n)
				}
			}
			if len(got) != c.longest[i]-c.least[i]+1 {
				t.Errorf("every %v, at most %v, after %d failures: gaps of %v, want all from %d to %d", c.interval, c.most, i+1, got, c.least[i], c.longest[i])
			}
		}
		if n := gap(math.MaxInt, c.interval, c.most); n < 1 || time.Duration(n)*c.interval > max(c.most, c.interval) {
			t.Errorf("every %v, at most %v: the gap is %d in the end", c.interval, c.most, n)
		}
	}
}

func TestAHostThatFailsIsVisitedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v, h := spreadController(t, 3, config.Server{Interval: time.Minute, Spread: 6 * time.Second, Backoff: 4 * time.Minute})
		v.fail("h1")
		begin := time.Now()
		turn := place("h1", 6*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Serve(ctx) }()
		time.Sleep(12*time.Minute + 30*time.Second)
		synctest.Wait()
		var want []time.Duration
		for _, minutes := range []int{0, 1, 3, 7, 11} {
			want = append(want, time.Duration(minutes)*time.Minute+turn)
		}
		if got := v.of("h1", begin); !slices.Equal(got, want) {
			t.Errorf("h1 is visited after %v, want %v", got, want)
		}
		if n := len(v.times["h0"]); n != 13 {
			t.Errorf("h0 is visited %d times, want in each of 13 sweeps", n)
		}
		if kinds := h.kinds(); kinds[failure.Backoff] != 8 || kinds[failure.Refused] != 5 || kinds[""] != 26 {
			t.Errorf("outcomes: %v", kinds)
		}
		alone := c.Serving().Alone
		if len(alone) != 1 || alone[0].Host != "h1" || alone[0].Failures != 5 || alone[0].Kind != failure.Refused ||
			alone[0].Next.Sub(begin) != 15*time.Minute+turn {
			t.Errorf("left alone: %+v", alone)
		}
		if s := c.status(); !strings.Contains(s, "1 left alone") || !strings.Contains(s, "3 hosts") {
			t.Errorf("status: %s", s)
		}

		// It is back, which is noticed within the bound; and then it is like any other.
		v.fail()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if n := len(c.Serving().Alone); n != 0 || len(v.times["h1"]) != 7 {
			t.Errorf("%d hosts are left alone, h1 is visited after %v", n, v.of("h1", begin))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsNoFailureOfTheHost(t *testing.T) {
	b := newBackoff()
	now := time.Now()
	told := func(kind failure.Kind) {
		v := &visit.Visit{Host: "h"}
		if kind != "" {
			v.Failure = failure.New(failure.Dial, kind, errors.New("x"))
		}
		b.ended(v, now, time.Minute, time.Hour)
	}
	for _, kind := range []failure.Kind{failure.Busy, failure.Cancelled, failure.Backoff, failure.Configuration} {
		told(kind)
		if b.hosts["h"] != nil {
			t.Errorf("%s counts as a failure of the host", kind)
		}
	}
	told(failure.Timeout)
	told(failure.LoginFailed)
	told(failure.Configuration)
	if f := b.hosts["h"]; f == nil || f.failures != 2 || f.left != 1 || f.kind != failure.LoginFailed {
		t.Errorf("after two failures: %+v", f)
	}
	if f := b.pass("h"); f == nil || b.pass("h") != nil || b.pass("other") != nil {
		t.Error("it is to be left out of one sweep")
	}
	told("")
	if b.hosts["h"] != nil {
		t.Error("a success is forgotten")
	}
}

func TestFailuresAreForgotten(t *testing.T) {
	b := newBackoff()
	for _, host := range []string{"a", "b", "c"} {
		for range 3 {
			b.ended(visit.Failed(visit.Host{Name: host}, time.Now(), failure.New(failure.Dial, failure.Refused, errors.New("x"))),
				time.Now(), time.Minute, time.Hour)
		}
	}
	b.forget("a", "nobody")
	if got := b.list(); len(got) != 2 || got[0].Host != "b" || got[1].Host != "c" {
		t.Errorf("left alone: %+v", got)
	}
	if n := b.clear(); n != 2 || len(b.list()) != 0 {
		t.Errorf("%d were left alone, and %d are", n, len(b.list()))
	}
}

// A person who runs a sweep has every host visited.
func TestRunLeavesNobodyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v, _ := spreadController(t, 1, config.Server{Interval: time.Minute, Backoff: time.Hour})
		v.fail("h0")
		for range 5 {
			if s, err := c.Run(t.Context()); err != nil || len(s.Failed) != 1 {
				t.Errorf("summary: %+v, %v", s, err)
			}
		}
	})
}
