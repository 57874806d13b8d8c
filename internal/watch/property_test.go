package watch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// scenarios is how many are drawn. A failure names the number of its scenario, which is its seed.
const scenarios = 20

func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// TestAProcessThatIsKilledAnywhereChangesNothing kills a process before and after every single thing that it does to the
// queue, the table, the outbox and the database.
func TestAProcessThatIsKilledAnywhereChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(scenarios / 10) {
			s := draw(t, random(seed, 0))
			want := s.run(t, manner{r: random(seed, 1)})
			for at := 1; at <= want.steps; at++ {
				for _, kill := range []outage{killsBefore, killsAfter} {
					got := s.run(t, manner{r: random(seed, 1), fate: func(step int) outage {
						if step == at {
							return kill
						}
						return none
					}})
					if diff := want.differs(got); diff != "" {
						t.Fatalf("seed %d, killed at step %d of %d (%d):\n%s", seed, at, want.steps, kill, diff)
					}
				}
			}
		}
	})
}

// TestProcessesThatAreKilledAndFailChangeNothing has many kills and errors in one life.
func TestProcessesThatAreKilledAndFailChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(scenarios) {
			s := draw(t, random(seed, 0))
			want := s.run(t, manner{r: random(seed, 1)})
			for _, rate := range []float64{0.01, 0.1, 0.3} {
				r := random(seed, 2)
				fate := func(int) outage {
					if chance(r, rate) {
						return outage(1 + r.IntN(4))
					}
					return none
				}
				got := s.run(t, manner{r: random(seed, 3), fate: fate, restart: true})
				if diff := want.differs(got); diff != "" {
					t.Fatalf("seed %d, trouble at one step of %.0f:\n%s", seed, 1/rate, diff)
				}
			}
		}
	})
}

// TestNobodyIsToldTwiceWhenMailsLeaveAtAnyTime lets mails leave at any time, so that what is put off differs from run to run.
func TestNobodyIsToldTwiceWhenMailsLeaveAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(scenarios * 2) {
			s := draw(t, random(seed, 0))
			s.configs = s.configs[:1]
			r := random(seed, 2)
			got := s.run(t, manner{r: random(seed, 3), free: true, restart: true, fate: func(int) outage {
				if chance(r, 0.05) {
					return outage(1 + r.IntN(4))
				}
				return none
			}})
			if diff := got.twice(); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
			if diff := got.untold(s); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
	})
}

// twice says what somebody was told twice.
func (o outcome) twice() string {
	for to, notices := range o.told {
		for n, times := range notices {
			if times > 1 {
				return fmt.Sprintf("%s is told %d times of %s", to, times, n)
			}
		}
	}
	return ""
}

// untold says what somebody was not told: of every alert that was raised all are told how it stands.
func (o outcome) untold(s *scenario) string {
	receivers := map[string][]string{Server: {"all@example.org"}}
	for _, h := range s.configs[len(s.configs)-1].hosts {
		receivers[h.Name] = h.Mail
	}
	for _, h := range s.configs[len(s.configs)-1].hosts {
		for _, notice := range s.mails[h.Name] {
			for _, to := range h.Mail {
				if len(h.MailRecords) > 0 && o.told[to][notice] == 0 {
					return fmt.Sprintf("%s is not mailed the record %s", to, notice)
				}
			}
		}
	}
	for id, a := range o.rows {
		if a.Raised.IsZero() {
			continue
		}
		to, known := receivers[a.Host]
		if !known {
			to = []string{"all@example.org"}
		}
		for _, to := range to {
			if o.told[to][id+"/"+a.State] == 0 {
				return fmt.Sprintf("%s is not told that alert %s of %s %s is %s", to, id, a.Host, a.Statistic, a.State)
			}
		}
	}
	return ""
}
