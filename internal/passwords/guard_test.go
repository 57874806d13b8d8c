package passwords

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/remote"
)

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
