package passwords

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
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
