package watch

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// slow is a window that keeps all times there ever were.
type slow []time.Time

// add returns the most records within a time with one of the new ones among them.
func (s *slow) add(times []time.Time, within time.Duration) int {
	*s = append(*s, times...)
	most := 0
	for _, end := range *s {
		n, fresh := 0, false
		for _, t := range *s {
			if !t.After(end) && end.Sub(t) <= within {
				n++
				fresh = fresh || slices.ContainsFunc(times, t.Equal)
			}
		}
		if fresh {
			most = max(most, n)
		}
	}
	return most
}

// TestWindowsCountExactly compares windows of few records with a count of all that there ever were, for logs whose records
// come late, in any order within an hour, and from clocks that are set.
func TestWindowsCountExactly(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		within := time.Duration(1+r.IntN(1000)) * time.Second
		var w window
		var all slow
		now := noon
		for range 12 {
			now = now.Add(time.Duration(r.IntN(1200)) * time.Second)
			var times []time.Time
			for range r.IntN(20) {
				times = append(times, now.Add(-time.Duration(r.IntN(1500))*time.Second))
			}
			got, want := w.add(times, within), all.add(times, within)
			if got.n != want || got.n > 0 && (got.last.Sub(got.first) > within || got.last.Before(got.first)) {
				t.Fatalf("seed %d: the most within %v are %+v, want %d", seed, within, got, want)
			}
			w = reread(t, w)
		}
	}
}

func reread(t *testing.T, w window) window {
	t.Helper()
	text, err := json.Marshal(&w)
	if err != nil {
		t.Fatal(err)
	}
	var again window
	if err := json.Unmarshal(text, &again); err != nil || len(w.points) > 0 && !reflect.DeepEqual(again, w) {
		t.Fatalf("%s is read as %+v, %v; it was %+v", text, again, err, w)
	}
	return again
}

// TestWindowsAreBounded has them count many records of times that are all different.
func TestWindowsAreBounded(t *testing.T) {
	const within = 10 * time.Minute
	var w window
	at := noon
	for range 100 {
		var times []time.Time
		for range 1000 {
			at = at.Add(37 * time.Millisecond)
			times = append(times, at)
		}
		most := w.add(times, within)
		if len(w.points) > mostPoints {
			t.Fatalf("%d points", len(w.points))
		}
		real := int(min(at.Sub(noon), within) / (37 * time.Millisecond))
		if most.n < real || most.n > real+real/50+1 {
			t.Fatalf("%d records within %v, there are %d", most.n, within, real)
		}
		w = reread(t, w)
	}
	if text, _ := json.Marshal(&w); len(text) > 2000 {
		t.Errorf("it takes %d bytes", len(text))
	}
}

// TestClocksThatJump: what is dated in the future, and what comes when the clock was put right, counts by itself.
func TestClocksThatJump(t *testing.T) {
	var w window
	burst := func(at time.Time, n int) []time.Time {
		var times []time.Time
		for i := range n {
			times = append(times, at.Add(time.Duration(i)*time.Second))
		}
		return times
	}
	for _, c := range []struct {
		at   time.Time
		n    int
		want int
	}{
		{noon, 5, 5},
		{time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC), 5, 5},
		{noon.Add(time.Minute), 3, 3}, // the clock was away: counting begins anew
		{noon.Add(2 * time.Minute), 3, 6},
		{time.Unix(0, 0), 4, 4},
		{time.Unix(-5, 0), 4, 8},
		{noon.Add(-30 * time.Minute), 4, 4},
		{noon.Add(-31 * time.Minute), 4, 8},
	} {
		if got := w.add(burst(c.at, c.n), 5*time.Minute); got.n != c.want {
			t.Errorf("%d at %v: %+v, want %d", c.n, c.at, got, c.want)
		}
		w = reread(t, w)
	}
}

func TestCountBeforeNow(t *testing.T) {
	var w window
	w.add([]time.Time{noon, noon.Add(time.Minute), noon.Add(time.Minute), noon.Add(2 * time.Minute)}, time.Minute)
	for at, want := range map[time.Duration]int{
		-2 * time.Minute: 0, -time.Minute: 1, 0: 3, time.Minute - time.Millisecond: 3, time.Minute: 3, 2 * time.Minute: 1, 3 * time.Minute: 0,
	} {
		if got := w.count(noon.Add(at), time.Minute); got != want {
			t.Errorf("%v after noon: %d records, want %d", at, got, want)
		}
	}
}

func TestWindowsThatCannotBeRead(t *testing.T) {
	for _, text := range []string{`1`, `{"points":"*"}`, `{"points":"gA"}`, `{"points":"AgA"}`, `{"points":"AgEBAQ"}`, `{"points":"Ag"}`} {
		var w window
		if err := json.Unmarshal([]byte(text), &w); err == nil {
			t.Errorf("%s is read as %+v", text, w)
		}
	}
}
