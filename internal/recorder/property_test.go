package recorder

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
)

func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// draw fills a world: visits, some twice, some of which the database or nobody takes, and sweeps.
func draw(t testing.TB, seed uint64) (w *world, good, bad []string) {
	r := random(seed, 0)
	w = newWorld()
	w.halves = r.IntN(2) == 0
	for i := range 12 + r.IntN(12) {
		id := fmt.Sprintf("v%02d", i)
		switch r.IntN(14) {
		case 0:
			w.poison[id] = true
			w.visit(t, id)
			bad = append(bad, entry.KindStoreVisit+" "+id)
		case 1:
			w.add(queue.Entry{Kind: entry.KindVisit, ID: id, Data: []byte{1, 200, 1}})
			bad = append(bad, entry.KindStoreVisit+" "+id)
		case 2:
			w.add(queue.Entry{Kind: "letter", ID: id})
			bad = append(bad, "letter "+id)
		case 3:
			w.sweep(t, noon.Add(time.Duration(i)*time.Minute), time.Time{})
			w.sweep(t, noon.Add(time.Duration(i)*time.Minute), noon.Add(time.Duration(i+1)*time.Minute))
		case 10:
			w.poison[id] = true
			w.part(t, id, int64(1000*i))
			bad = append(bad, entry.KindStoreLogs+" "+id)
		case 11:
			w.add(queue.Entry{Kind: entry.KindLogs, ID: id, Data: []byte{1, 200, 1}})
			bad = append(bad, entry.KindStoreLogs+" "+id)
		case 12:
			w.part(t, id, int64(10*i))
			w.part(t, id, int64(10*i)) // put twice
			good = append(good, records(10*i)...)
		case 13:
			w.part(t, id, int64(10*i))
			good = append(good, records(10*i)...)
		case 4:
			w.visit(t, id)
			w.visit(t, id) // put twice
			good = append(good, id)
		default:
			w.visit(t, id)
			good = append(good, id)
		}
	}
	return w, good, bad
}

// records names the log records that a part brings.
func records(first int) (all []string) {
	for i := range 5 {
		all = append(all, fmt.Sprint("web1 journal 1 ", first+i))
	}
	return all
}

// through runs processes until all is done; it returns how many were killed.
func through(t *testing.T, w *world, batch *rand.Rand) (deaths int) {
	for w.done < uint64(len(w.entries)) {
		if deaths > 1000 {
			t.Fatal("it does not get anywhere")
		}
		if lives(func() {
			p := w.process()
			r := p.recorder(nil)
			r.full = 1 + batch.IntN(2000)
			database, ok := r.open(t.Context())
			for ok && p.next < uint64(len(w.entries)) {
				p.batch = 1 + batch.IntN(8)
				entries, err := p.Next(t.Context(), readBytes)
				if err != nil {
					t.Fatal(err)
				}
				ok = r.write(t.Context(), database, entries)
			}
			if !ok {
				t.Fatal("the recorder gave up")
			}
		}) {
			deaths++
		}
	}
	return deaths
}

// lives runs a process and reports whether it was killed.
func lives(run func()) (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(killed); !dead {
				panic(r)
			}
		}
	}()
	run()
	return false
}

// check compares what is in the world with what is to be there.
func check(t *testing.T, name string, w *world, good, bad []string, deaths int) {
	t.Helper()
	slices.Sort(good)
	got := slices.AppendSeq(slices.Collect(maps.Keys(w.stored())), maps.Keys(w.logs))
	if slices.Sort(got); !slices.Equal(got, good) {
		t.Fatalf("%s: stored: %v\nwant    %v", name, got, good)
	}
	last := int64(0)
	for of := range w.logs {
		var id int64
		if _, err := fmt.Sscanf(of, "web1 journal 1 %d", &id); err != nil {
			t.Fatal(err)
		}
		last = max(last, id)
	}
	if at := w.cursor["web1 journal 1"]; at != last {
		t.Fatalf("%s: the cursor is at %d, and the last record is %d", name, at, last)
	}
	times := make(map[string]int)
	for _, e := range w.dead {
		times[e.Kind+" "+e.ID]++
	}
	for _, id := range bad {
		if n := times[id]; n < 1 || n > 1+deaths {
			t.Fatalf("%s: %s is buried %d times after %d deaths", name, id, n, deaths)
		}
	}
	if len(times) != len(bad) {
		t.Fatalf("%s: buried: %v, want %v", name, times, bad)
	}
	for at, s := range w.sweeps {
		if s.Ended.IsZero() || s.Hosts != 3 || s.Visited != 2 || s.Failed != 1 {
			t.Fatalf("%s: sweep %d is stored as %+v", name, at, s)
		}
	}
}

// TestAProcessThatIsKilledAnywhereLosesNothing kills it before and after every thing that it does to database and queue.
func TestAProcessThatIsKilledAnywhereLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(12) {
			w, good, bad := draw(t, seed)
			deaths := through(t, w, random(seed, 1))
			check(t, fmt.Sprintf("seed %d", seed), w, good, bad, deaths)
			for at := 1; at <= w.steps; at++ {
				for _, kill := range []outage{killsBefore, killsAfter} {
					w, good, bad := draw(t, seed)
					w.fate = func(step int) outage {
						if step == at {
							return kill
						}
						return none
					}
					deaths := through(t, w, random(seed, 1))
					if deaths != 1 {
						t.Fatalf("seed %d: killed %d times", seed, deaths)
					}
					check(t, fmt.Sprintf("seed %d, killed at step %d (%d)", seed, at, kill), w, good, bad, deaths)
				}
			}
		}
	})
}

// TestTroubleOfAllKindsLosesNothing has kills, errors and a database that comes and goes.
func TestTroubleOfAllKindsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(100) {
			w, good, bad := draw(t, seed)
			r := random(seed, 2)
			failures := 0
			w.fate = func(int) outage {
				if r.Float64() >= 0.2 {
					return none
				}
				o := outage(1 + r.IntN(4))
				if o == failsAfter {
					failures++ // a dead letter that is there, and an error that says it is not, is buried again
				}
				return o
			}
			gone := 0
			w.away = func(int) error {
				if gone == 0 && r.Float64() < 0.1 {
					gone = 1 + r.IntN(5)
				}
				if gone == 0 {
					return nil
				}
				gone--
				if r.IntN(2) == 0 {
					return errAway
				}
				gone = max(gone, 1) // it refuses the next call, too, which is the question whether it takes anything
				return errTable
			}
			deaths := through(t, w, random(seed, 1))
			check(t, fmt.Sprintf("seed %d", seed), w, good, bad, deaths+failures)
		}
	})
}
