package passwords

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/remote"
)

// TestASharedPasswordWithoutAnAnswer has hosts that answer a wrong password later than at the deadline of the login.
func TestASharedPasswordWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows, hosts := newTable(), fleet(64, "slow horse")
		silent := func(Account) remote.PasswordOutcome {
			time.Sleep(4 * time.Second)
			return remote.PasswordUnanswered
		}
		g := open(t, rows, hosts)
		for sweep, want := range []int{2 * budget, 0} {
			if sent, _ := visitAll(t, g, hosts, silent); sent != want {
				t.Errorf("sweep %d: it was sent %d times, want %d", sweep, sent, want)
			}
		}
		g = open(t, rows, hosts) // by the next process
		mustHold(t, g, hosts[63], "6 times without an answer")

		// A person asks for one host, and then for all.
		if freed, err := g.Retry(t.Context(), "web63"); err != nil || !slices.Equal(freed, []string{"web63"}) {
			t.Errorf("freed %v, %v", freed, err)
		}
		mustSend(t, g, hosts[63], remote.PasswordUnanswered)
		mustHold(t, g, hosts[62], "7 times without an answer")
		if _, err := g.Retry(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sent, _ := visitAll(t, g, hosts, silent); sent != 2*budget {
			t.Errorf("then it was sent %d times, want %d", sent, 2*budget)
		}

		// One takes it: all others follow, however many don't answer.
		if _, err := g.Retry(t.Context(), "web63"); err != nil {
			t.Fatal(err)
		}
		mustSend(t, g, hosts[63], remote.PasswordAccepted)
		for _, a := range hosts[:3*budget] {
			mustSend(t, g, a, remote.PasswordUnanswered)
		}
		time.Sleep(time.Minute)
		if sent, _ := visitAll(t, g, hosts, func(Account) remote.PasswordOutcome { return remote.PasswordAccepted }); sent != len(hosts) {
			t.Errorf("in the end it was sent to %d hosts, want all", sent)
		}
	})
}

// TestASharedPasswordThatIsWrong counts how many of many hosts are sent a password that all refuse, at once.
func TestASharedPasswordThatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows, hosts := newTable(), fleet(256, "wrong horse")
		g := open(t, rows, hosts)
		sent, held := visitAll(t, g, hosts, func(Account) remote.PasswordOutcome {
			time.Sleep(2 * time.Second) // as hosts do after a wrong password
			return remote.PasswordRefused
		})
		if sent != budget || held != len(hosts)-budget {
			t.Errorf("it was sent to %d hosts and withheld from %d, want %d and %d", sent, held, budget, len(hosts)-budget)
		}
		// Nor by the next process, for any host.
		g = open(t, rows, hosts)
		if sent, _ := visitAll(t, g, hosts, nil); sent != 0 {
			t.Errorf("it was sent to %d hosts after a restart", sent)
		}
		mustHold(t, g, hosts[200], "accepted by none")

		// A person who asks for one host proves that it is right: all others follow.
		freed, err := g.Retry(t.Context(), "web200")
		if err != nil || !slices.Equal(freed, []string{"web200"}) {
			t.Errorf("freed %v, %v", freed, err)
		}
		g = open(t, rows, hosts)
		mustHold(t, g, hosts[201], "accepted by none")
		mustSend(t, g, hosts[200], remote.PasswordAccepted)
		sent, held = visitAll(t, g, hosts, func(Account) remote.PasswordOutcome { return remote.PasswordAccepted })
		if sent != len(hosts)-budget || held != budget {
			t.Errorf("then it was sent to %d hosts and withheld from %d, want all but those that refused it", sent, held)
		}
	})
}

// visitAll sends a password to all hosts at once, and returns to how many, and from how many it was withheld.
func visitAll(t *testing.T, g *Guard, hosts []Account, answer func(Account) remote.PasswordOutcome) (sent, held int) {
	t.Helper()
	var mu sync.Mutex
	var visits sync.WaitGroup
	for _, a := range hosts {
		visits.Go(func() {
			leave, err := g.Gate(a).Enter(t.Context())
			mu.Lock()
			if err == nil {
				sent++
			} else {
				held++
			}
			mu.Unlock()
			if err == nil {
				outcome := remote.PasswordUnsent
				if answer != nil {
					outcome = answer(a)
				}
				leave(outcome)
			}
		})
	}
	visits.Wait()
	return sent, held
}

// TestASharedPasswordThatIsRight: a fleet that is well is not held up for longer than a login takes.
func TestASharedPasswordThatIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := fleet(256, "right horse")
		g := open(t, newTable(), hosts)
		const login = 50 * time.Millisecond
		for sweep := range 3 {
			started := time.Now()
			sent, held := visitAll(t, g, hosts, func(Account) remote.PasswordOutcome {
				time.Sleep(login)
				return remote.PasswordAccepted
			})
			if took := time.Since(started); sent != len(hosts) || held != 0 || took != 2*login {
				t.Errorf("sweep %d: sent to %d, withheld from %d, in %s, want all in %s", sweep, sent, held, took, 2*login)
			}
			time.Sleep(time.Minute)
		}

		// The password is changed where the hosts ask for it, and not in the configuration.
		sent, held := visitAll(t, g, hosts, func(Account) remote.PasswordOutcome {
			time.Sleep(login)
			return remote.PasswordRefused
		})
		if sent != budget || held != len(hosts)-budget {
			t.Errorf("after the change it was sent to %d hosts, want %d", sent, budget)
		}
	})
}

// TestAnotherPasswordIsRefusedMeanwhile has a shared password on its way when the first refusal is that of another one: what
// becomes of each is stored for itself, and in a way that is found again.
func TestAnotherPasswordIsRefusedMeanwhile(t *testing.T) {
	rows, first, other := newTable(), fleet(8, "first horse"), fleet(4, "other horse")
	for i := range other {
		other[i].Address = fmt.Sprintf("10.0.1.%d", i)
	}
	hosts := slices.Concat(first, other)
	g := open(t, rows, hosts)
	leave, err := g.Gate(first[7]).Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, g, other[0], remote.PasswordRefused)
	leave(remote.PasswordAccepted)
	for _, a := range first[:budget] {
		mustSend(t, g, a, remote.PasswordRefused)
	}
	mustHold(t, g, first[6], "accepted by none")
	mustSend(t, g, other[3], remote.PasswordUnsent)
	g = open(t, rows, hosts)
	mustHold(t, g, first[6], "accepted by none")
	mustSend(t, g, other[3], remote.PasswordUnsent)
}

// TestAPasswordThatWasNotSent keeps nobody waiting.
func TestAPasswordThatWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := fleet(2*budget, "right horse")
		g, started := open(t, newTable(), hosts), time.Now()
		for _, a := range hosts {
			mustSend(t, g, a, remote.PasswordUnsent)
		}
		if took := time.Since(started); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}

// TestHostsThatHoldThePassword has hosts that take the password and never answer, before any other was asked.
func TestHostsThatHoldThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := fleet(40, "right horse")
		g := open(t, newTable(), hosts)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, a := range hosts[:budget] {
			if _, err := g.Gate(a).Enter(ctx); err != nil {
				t.Fatal(err)
			}
		}
		started := time.Now()
		sent, held := visitAll(t, g, hosts[budget:], func(Account) remote.PasswordOutcome { return remote.PasswordAccepted })
		if took := time.Since(started); sent != len(hosts)-budget || held != 0 || took != overdue {
			t.Errorf("sent to %d, withheld from %d, in %s, want all after %s", sent, held, took, overdue)
		}

		// Whoever waits for nothing gives up when its connection ends.
		others := fleet(40, "another horse")
		g.SetAccounts(others)
		for _, a := range others[:2*budget] {
			if _, err := g.Gate(a).Enter(ctx); err != nil {
				t.Fatal(err)
			}
		}
		limited, done := context.WithTimeout(ctx, 20*time.Second)
		defer done()
		if _, err := g.Gate(others[39]).Enter(limited); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the last: %v", err)
		}
	})
}
