package controller

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
)

func TestPlaces(t *testing.T) {
	for parallel, want := range map[int]int{1: 1, 3: 1, 4: 1, 8: 2, 31: 7, 32: 8, 10000: 8} {
		p := newPlaces(parallel)
		taken := 0
		for p.take(fmt.Sprint("h", taken), false) {
			taken++
		}
		if taken != want {
			t.Errorf("of %d parallel visits %d may go on, want %d", parallel, taken, want)
		}
		p.give()
		if !p.take("x", false) || p.take("y", false) {
			t.Error("a place that is given back is not there, or twice")
		}
	}
}

// TestWhoLetsPass has hosts that ask for the only place, one after the other.
func TestWhoLetsPass(t *testing.T) {
	p := newPlaces(1)
	held := false // by somebody else
	visit := func(host string, parts int, behind, want bool) {
		t.Helper()
		p.taken = map[bool]int{false: 0, true: 1}[held]
		for part := range parts {
			got := p.take(host, part > 0)
			if got != want {
				t.Fatalf("%s gets a place for part %d: %v", host, part+1, got)
			}
			if !got {
				parts = 0
				break
			}
			p.give()
		}
		p.ended(host, true, parts, behind)
	}
	const gets, behind = true, true
	visit("a", 9, behind, gets)
	visit("a", 9, behind, gets) // nobody else wants it
	held = true
	visit("b", 9, behind, !gets)
	visit("c", 9, behind, !gets)
	held = false
	visit("a", 9, behind, !gets) // others were refused
	visit("brief", brief, !behind, gets)
	visit("brief", brief, !behind, gets) // who needs little lets nobody pass
	visit("b", 9, !behind, gets)         // many parts count, whatever it says then
	visit("b", 9, behind, !gets)
	visit("a", 9, behind, !gets)
	visit("c", 9, behind, gets)
	visit("a", 9, behind, gets)
	visit("c", 9, behind, gets)
	p.ended("b", false, 0, true) // its log is in trouble
	if p.went["b"] != 0 {
		t.Errorf("b is remembered")
	}
	visit("a", 9, behind, gets)
	held = true
	visit("gone", 9, behind, !gets)
	held = false
	visit("a", 9, behind, !gets)
	p.adopt(func(host string) bool { return host == "a" })
	visit("a", 9, behind, gets)
	if len(p.went) != 1 || len(p.refused) != 0 {
		t.Errorf("it remembers %v and %v", p.went, p.refused)
	}
}

// step is that of a host in a sweep.
type step struct {
	at   time.Duration
	host int
	ends bool
}

// TestPlacesGoRound has more hosts than places, each with logs without end, whose turns come at any times within the interval:
// in the long run all of them go on equally often.
func TestPlacesGoRound(t *testing.T) {
	const interval, hosts, sweeps = time.Minute, 20, 60
	for name, turn := range map[string]func(host int) time.Duration{
		"evenly":           func(host int) time.Duration { return time.Duration(host) * interval / hosts },
		"at once":          func(int) time.Duration { return 0 },
		"in the first ten": func(host int) time.Duration { return time.Duration(host) * time.Second / 2 },
		"by chance": func(host int) time.Duration {
			return time.Duration(rand.New(rand.NewPCG(1, uint64(host))).Int64N(int64(interval)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaces(32)
			var steps []step
			for sweep := range sweeps {
				for host := range hosts {
					steps = append(steps, step{at: time.Duration(sweep)*interval + turn(host), host: host})
				}
			}
			sort := func() {
				slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
			}
			sort()
			went := make([]int, hosts)
			for len(steps) > 0 {
				s := steps[0]
				steps = steps[1:]
				name := fmt.Sprint("h", s.host)
				switch {
				case s.ends:
					p.give()
					p.ended(name, true, brief+1, s.host%2 == 0) // half of them say each time that they are done
				case p.take(name, false):
					went[s.host]++
					steps = append(steps, step{s.at + furtherFor(time.Time{}, time.Time{}, interval), s.host, true})
					sort()
				default:
					p.ended(name, true, 0, true)
				}
			}
			total := 0
			for _, n := range went {
				total += n
			}
			// All places could be had in each sweep; what is kept for others is not.
			if least, most := slices.Min(went), slices.Max(went); least < most-3 || total < sweeps*mostGoOn/2 {
				t.Errorf("they went on %v times, %d in all", went, total)
			}
			t.Logf("they went on %d times in %d sweeps", total, sweeps)
		})
	}
}

// TestAllHostsThatAreBehindGetOn by the sweeps of a server: hosts with logs without end, and one that is up to date.
func TestAllHostsThatAreBehindGetOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts, parallel, sweeps = 20, 32, 6
		c, _, _ := newTestController(t, hosts, parallel)
		c.logs = newBook(t).logbook
		c.logs.places.bound(parallel)
		cfg := c.plan.Load().config
		l := &logVisitor{asked: make(map[string][]string), further: make(map[string]time.Duration), behind: make(map[string]bool)}
		for i := range cfg.Hosts {
			cfg.Hosts[i].Logs = []config.Logs{{Channel: "journal"}}
			l.behind[cfg.Hosts[i].Name] = i < hosts-1
		}
		c.visitor = l
		up := cfg.Hosts[hosts-1].Name // to date
		c.logs.places.refused[up] = struct{}{}
		for range sweeps {
			o := now(c)
			o.asked = false
			for i := range o.turns { // in the same order each time
				o.turns[i].after = time.Duration(i) * 100 * time.Millisecond
			}
			if _, err := c.sweep(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		for host, channels := range l.asked {
			if further := len(channels) - sweeps; host != up && further < 30 {
				t.Errorf("%s was asked for %d further parts", host, further)
			}
		}
		p := c.logs.places
		if _, waits := p.refused[up]; waits || p.taken != 0 {
			t.Errorf("%d places are taken, and one is kept for a host that needs none: %v", p.taken, waits)
		}
	})
}
