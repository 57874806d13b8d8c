package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"muster/internal/badday"
)

// mostAHost is how much memory, in MiB, one hostile host may cost while it is visited: some times the largest report, sealed,
// opened and parsed.
const mostAHost = 12

// TestBadDayCostsNoMemory runs muster over good hosts, and again with all beside them that try to make it take memory: a
// gigabyte as report, log, banner, file or line, bombs, a million statistics. Each fails as its day says, with advice, and
// the process has grown by what the largest reports take.
func TestBadDayCostsNoMemory(t *testing.T) {
	var expensive []badday.Day
	for _, day := range badday.Days() {
		if day.Expensive {
			expensive = append(expensive, day)
		}
	}
	p := newPlace(t)
	fleet, err := badday.Start(p.dir, expensive, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	run := func(status int, want func(*badday.Host) bool) (sweepResult, int64) {
		t.Helper()
		p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
<timeouts dial="2m" handshake="2m" authentication="2m" platform="2m" deploy="2m" run="2m" receive="2m" visit="5m"/>%s</muster>`,
			fleet.Configuration("1m", want)))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		command := p.command(ctx, "run", "--json")
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		_ = command.Run()
		if got := command.ProcessState.ExitCode(); got != status {
			t.Fatalf("status %d, want %d\n%s\n%s", got, status, stdout.String(), stderr.String())
		}
		if bytes.Contains(stdout.Bytes(), []byte(badday.Password)) || bytes.Contains(stderr.Bytes(), []byte(badday.Password)) {
			t.Error("the password was printed or logged")
		}
		return decode[sweepResult](t, stdout.String()), command.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	}

	isGood := func(h *badday.Host) bool { return h.Day == nil }
	_, _ = run(0, isGood) // the database and the queue are made
	_, alone := run(0, isGood)
	sweep, together := run(1, func(*badday.Host) bool { return true })
	t.Logf("%d MiB at most, %d with %d hostile hosts", alone, together, len(expensive))
	if grown := together - alone; grown > mostAHost*memoryFactor*int64(len(expensive)) {
		t.Errorf("%d hostile hosts cost %d MiB, at most %d each are wanted", len(expensive), grown, mostAHost*memoryFactor)
	}
	failed := make(map[string]string)
	for _, f := range sweep.Failed {
		failed[f.Host] = f.Stage + " " + f.Kind
		if f.Advice == "" {
			t.Errorf("%s failed without advice", f.Host)
		}
	}
	for _, h := range fleet.Hosts {
		stage, kind := h.Want()
		want := ""
		if kind != "" {
			want = string(stage) + " " + string(kind)
		}
		if failed[h.Name] != want {
			t.Errorf("%s: got %q, want %q", h.Name, failed[h.Name], want)
		}
	}
	if left, err := fleet.Leftovers(); err != nil || len(left) > 0 {
		t.Errorf("files are left on the hosts: %q, %v", left, err)
	}
	if _, err := os.Stat(p.path("data")); err != nil {
		t.Error(err)
	}
}
