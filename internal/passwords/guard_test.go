package passwords

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
)

// table is a Table in memory.
type table struct {
	mu   sync.Mutex
	rows map[string][]byte
	err  error
}

func newTable() *table { return &table{rows: make(map[string][]byte)} }

func (t *table) All(context.Context) (map[string][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.rows), t.err
}

func (t *table) Put(_ context.Context, key string, value []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.rows[key] = bytes.Clone(value)
	}
	return t.err
}

func (t *table) Delete(_ context.Context, key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		delete(t.rows, key)
	}
	return t.err
}

// fleet returns accounts of one user and password on so many hosts.
func fleet(n int, password string) []Account {
	accounts := make([]Account, n)
	for i := range accounts {
		accounts[i] = Account{
			Host: fmt.Sprintf("web%d", i), User: "monitor", Address: fmt.Sprintf("10.0.0.%d", i), Port: 22, Password: password,
		}
	}
	return accounts
}

func open(t *testing.T, rows *table, accounts []Account) *Guard {
	t.Helper()
	g, err := New(t.Context(), Options{Table: rows, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	g.SetAccounts(accounts)
	return g
}

// send enters a gate and leaves it with an outcome; the error is the gate's.
func send(t *testing.T, g *Guard, a Account, outcome remote.PasswordOutcome) error {
	t.Helper()
	leave, err := g.Gate(a).Enter(t.Context())
	if err == nil {
		leave(outcome)
	}
	return err
}

// mustSend fails the test where the password is not sent.
func mustSend(t *testing.T, g *Guard, a Account, outcome remote.PasswordOutcome) {
	t.Helper()
	if err := send(t, g, a, outcome); err != nil {
		t.Fatalf("the password is not sent to %s: %v", a.Host, err)
	}
}

// mustHold fails the test where the password is sent.
func mustHold(t *testing.T, g *Guard, a Account, says string) {
	t.Helper()
	err := send(t, g, a, remote.PasswordUnsent)
	var found *failure.Error
	if !errors.As(err, &found) || found.Kind != failure.PasswordRefused {
		t.Fatalf("the password is sent to %s: %v", a.Host, err)
	}
	if !strings.Contains(err.Error(), says) || !strings.Contains(found.Help(), "muster login retry "+a.Host) {
		t.Errorf("it says %v: %s; want %q", err, found.Help(), says)
	}
	if strings.Contains(err.Error(), a.Password) {
		t.Errorf("the password is in %v", err)
	}
}

func TestARefusedPasswordIsNotSentAgain(t *testing.T) {
	rows, host := newTable(), fleet(1, "wrong horse")
	a := host[0]
	g := open(t, rows, host)
	mustSend(t, g, a, remote.PasswordRefused)
	mustHold(t, g, a, "was refused by the host at 20")
	mustHold(t, open(t, rows, host), a, "was refused") // after a restart

	for name, other := range map[string]Account{
		"password": {Host: a.Host, User: a.User, Address: a.Address, Port: a.Port, Password: "right horse"},
		"user":     {Host: a.Host, User: "other", Address: a.Address, Port: a.Port, Password: a.Password},
		"address":  {Host: a.Host, User: a.User, Address: "10.0.0.99", Port: a.Port, Password: a.Password},
		"port":     {Host: a.Host, User: a.User, Address: a.Address, Port: 2222, Password: a.Password},
	} {
		if err := send(t, g, other, remote.PasswordUnsent); err != nil {
			t.Errorf("with another %s: %v", name, err)
		}
	}
	mustHold(t, g, a, "refused")

	// A right one wipes the slate clean.
	right := a
	right.Password = "right horse"
	mustSend(t, g, right, remote.PasswordAccepted)
	if len(rows.rows) != 1 {
		t.Errorf("the table holds %v, want the salt alone", slices.Collect(maps.Keys(rows.rows)))
	}
	mustSend(t, g, a, remote.PasswordUnsent)
}

func TestRetryOfOneHost(t *testing.T) {
	rows, hosts := newTable(), fleet(1, "wrong horse")
	hosts = append(hosts, Account{Host: "db1", User: "db", Address: "10.0.1.1", Port: 22, Password: "other"})
	g := open(t, rows, hosts)
	for _, a := range hosts {
		mustSend(t, g, a, remote.PasswordRefused)
	}
	freed, err := open(t, rows, hosts).Retry(t.Context(), "web0", "unknown") // another process
	if err != nil || !slices.Equal(freed, []string{"web0"}) {
		t.Errorf("freed %v, %v", freed, err)
	}
	g = open(t, rows, hosts)
	mustHold(t, g, hosts[1], "refused")
	mustSend(t, g, hosts[0], remote.PasswordRefused)
	mustHold(t, g, hosts[0], "refused")
	freed, err = g.Retry(t.Context())
	if err != nil || !slices.Equal(freed, []string{"db1", "web0"}) {
		t.Errorf("freed %v, %v", freed, err)
	}
	for _, a := range hosts {
		mustSend(t, g, a, remote.PasswordAccepted)
	}
}

func TestAPasswordWithoutAnAnswer(t *testing.T) {
	rows, hosts := newTable(), fleet(1, "slow horse")
	for range maxUnanswered { // each by a process of its own
		mustSend(t, open(t, rows, hosts), hosts[0], remote.PasswordUnanswered)
	}
	mustHold(t, open(t, rows, hosts), hosts[0], "three times without an answer")

	g := open(t, newTable(), hosts)
	mustSend(t, g, hosts[0], remote.PasswordAccepted)
	for range 2 { // what it was good for once clears the count, and no more than that
		for range maxUnanswered - 1 {
			mustSend(t, g, hosts[0], remote.PasswordUnanswered)
		}
		mustSend(t, g, hosts[0], remote.PasswordAccepted)
	}
	for range maxUnanswered {
		mustSend(t, g, hosts[0], remote.PasswordUnanswered)
	}
	mustHold(t, g, hosts[0], "three times without an answer")
	if _, err := g.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustSend(t, g, hosts[0], remote.PasswordRefused)
	mustHold(t, g, hosts[0], "was refused by the host")
}

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

func TestATableThatIsAway(t *testing.T) {
	rows, hosts := newTable(), fleet(1, "wrong horse")
	g := open(t, rows, hosts)
	rows.err = errors.New("the disk is full")
	mustSend(t, g, hosts[0], remote.PasswordRefused)
	mustHold(t, g, hosts[0], "refused") // in this process
	if _, err := g.Retry(t.Context()); !errors.Is(err, rows.err) {
		t.Errorf("retry: %v", err)
	}
	if _, err := New(t.Context(), Options{Table: rows}); !errors.Is(err, rows.err) {
		t.Errorf("open: %v", err)
	}
	rows.err = nil
	rows.rows["host.x"] = []byte("{")
	if _, err := New(t.Context(), Options{Table: rows}); err == nil || !strings.Contains(err.Error(), "host.x") {
		t.Errorf("a broken row: %v", err)
	}
}

// TestNothingIsStoredThatIsThePassword looks for it in the table, and for two tables that are alike.
func TestNothingIsStoredThatIsThePassword(t *testing.T) {
	hosts := fleet(2, "wrong horse")
	var stored []string
	for range 2 {
		rows := newTable()
		g := open(t, rows, hosts)
		mustSend(t, g, hosts[0], remote.PasswordRefused)
		var all strings.Builder
		for _, key := range slices.Sorted(maps.Keys(rows.rows)) {
			if !strings.HasPrefix(key, hostPrefix) {
				fmt.Fprintf(&all, "%s\n", key)
			}
			fmt.Fprintf(&all, "%s\n", rows.rows[key])
		}
		if len(rows.rows) != 3 || strings.Contains(all.String(), "horse") {
			t.Errorf("the table holds %s", all.String())
		}
		for _, line := range strings.Split(all.String(), "\n") {
			if strings.Contains(line, "verifier") || strings.HasPrefix(line, pairPrefix) {
				stored = append(stored, line)
			}
		}
	}
	slices.Sort(stored)
	if len(stored) != 4 || len(slices.Compact(stored)) != 4 {
		t.Errorf("two tables have the same: %q", stored)
	}
}

func TestWithoutAPasswordThereIsNoGate(t *testing.T) {
	if g := open(t, newTable(), nil).Gate(Account{Host: "web1"}); g != nil {
		t.Errorf("got %v", g)
	}
}

// BenchmarkGate is what a healthy host's login costs.
func BenchmarkGate(b *testing.B) {
	hosts := fleet(256, "right horse")
	g, err := New(b.Context(), Options{Table: newTable(), Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	g.SetAccounts(hosts)
	for i := range b.N {
		leave, err := g.Gate(hosts[i%256]).Enter(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		leave(remote.PasswordAccepted)
	}
}
