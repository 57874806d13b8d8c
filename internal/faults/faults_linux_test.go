package faults_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/faults"
)

// tracks returns what goes wrong in a storm. In the short form all comes sooner, so that each has its turn.
func (b *bench) tracks() []faults.Track {
	lives := []faults.Choice{
		{Kind: faults.KillServer, Weight: 17, After: span(100, 3000)},
		{Kind: faults.KillServer, Weight: 2, After: span(3000, 8000)},
		{Kind: faults.KillServer, Weight: 1, After: span(8000, 15000)},
	}
	if !b.o.Long {
		lives = []faults.Choice{{Kind: faults.KillServer, After: span(100, 1800)}}
	}
	return append([]faults.Track{{Name: "server", Choices: lives}}, b.others()...)
}

// others returns what goes wrong beside the server itself.
func (b *bench) others() []faults.Track {
	var hosts, lines []string
	for _, h := range b.hosts {
		hosts = append(hosts, h.name)
		lines = append(lines, h.name)
	}
	lines = append(lines, "database", "mail server", "database", "mail server")
	seldom, most := 1, 1500
	if b.o.Long {
		seldom, most = 4, 4000
	}
	tracks := []faults.Track{
		{Name: "database", Choices: []faults.Choice{
			{Kind: faults.KillDatabase, After: span(2000*seldom, 5000*seldom), Hold: span(0, 1000*seldom)},
		}},
		{Name: "mail", Choices: []faults.Choice{
			{Kind: faults.KillMail, After: span(1500*seldom, 4000*seldom), Hold: span(0, 1200*seldom)},
		}},
		{Name: "hosts", Choices: []faults.Choice{
			{Kind: faults.ResetHost, Weight: 2, Targets: hosts, After: span(200, most/2)},
			{Kind: faults.KillSession, Weight: 2, Targets: hosts, After: span(200, most/2), Hold: span(1000, most)},
			{Kind: faults.KillClient, Weight: 3, Targets: hosts, After: span(200, most/2), Hold: span(1000, most)},
			{Kind: faults.Wipe, Weight: 1, Targets: hosts, After: span(200, most/2)},
			{Kind: faults.Exceed, Weight: 2, Targets: hosts, After: span(200, most/2), Hold: span(1000, most)},
		}},
		{Name: "network", Choices: []faults.Choice{
			{Kind: faults.Cut, Weight: 3, Targets: lines, After: span(200, most/2), Hold: span(300, most)},
			{Kind: faults.Refuse, Weight: 2, Targets: lines, After: span(200, most/2), Hold: span(300, most)},
			{Kind: faults.Freeze, Weight: 2, Targets: lines, After: span(200, most/2), Hold: span(300, most)},
			{Kind: faults.Slow, Weight: 2, Targets: lines, After: span(200, most/2), Hold: span(300, most)},
		}},
	}
	tracks = append(tracks, faults.Track{Name: "logs", Choices: []faults.Choice{
		// One is only rotated, one only cleared. A file is left for the next one when it was quiet for five seconds.
		{Kind: faults.Rotate, Targets: hosts[:len(hosts)-1], After: span(1000, 2*most)},
		{Kind: faults.Clear, Targets: hosts[1:], After: span(1000, 2*most), Hold: span(1000, most)},
	}}, faults.Track{Name: "records", Choices: []faults.Choice{
		{Kind: faults.Flood, Targets: hosts, After: span(1500*seldom, 2500*seldom)},
	}}, faults.Track{Name: "configuration", Choices: []faults.Choice{
		{Kind: faults.Reload, After: span(300*seldom, 1000*seldom)},
	}})
	if b.disk != nil {
		tracks = append(tracks, faults.Track{Name: "disk", Choices: []faults.Choice{
			{Kind: faults.Fill, After: span(3000*seldom, 6000*seldom), Hold: span(500*seldom, 1000*seldom)},
		}})
	}
	if b.clock.reason == "" {
		tracks = append(tracks, faults.Track{Name: "clock", Choices: []faults.Choice{
			{Kind: faults.Jump, After: span(4000*seldom, 8000*seldom), Hold: span(500*seldom, 1500*seldom)},
		}})
	}
	return tracks
}

// span is a range of milliseconds.
func span(least, most int) faults.Range {
	return faults.Range{Least: time.Duration(least) * time.Millisecond, Most: time.Duration(most) * time.Millisecond}
}

// run breaks everything, has it made whole, and returns what the books come to.
func (b *bench) run(ctx context.Context) []faults.Balance {
	b.t.Helper()
	b.say("seed %d", b.o.Seed)
	supervised, stop := context.WithCancel(ctx)
	var supervisor sync.WaitGroup
	supervisor.Go(func() { b.server.supervise(supervised) })
	halt := func() {
		stop()
		supervisor.Wait()
	}
	defer halt()
	if err := b.await(ctx, 1); err != nil {
		b.t.Fatalf("before anything is broken: %v", err)
	}
	writing, quiet := context.WithCancel(ctx)
	defer quiet()
	var writers sync.WaitGroup
	for _, h := range b.hosts {
		writers.Go(func() { h.log.write(writing) })
	}
	b.storm(ctx, b.o.Seed, b.tracks(), b.o.Kills, b.o.Time)
	b.say("%d kills; now one server is to endure what is left, for %s", b.kills(), b.o.Endure)
	gauges, err := b.endure(ctx)
	if err != nil {
		b.t.Errorf("the server did not come back from what is over: %v", err)
		b.say("the server did not come back; it is ended, so that the books can be balanced: its log lists its goroutines")
		if life, err := b.server.Await(ctx); err == nil && !b.server.Signal(life, syscall.SIGQUIT) {
			b.server.Signal(life, sigkill)
		}
	}
	quiet()
	writers.Wait()
	// However few of the storm's faults struck, one log loses lines of a file that was read, and so has a gap, which is told when
	// there is a line again.
	last := b.hosts[len(b.hosts)-1]
	b.strike(ctx, faults.Fault{Kind: faults.Clear, Target: last.name})
	if err := last.log.line(); err != nil {
		b.t.Errorf("the log of %s: %v", last.name, err)
	}
	for _, h := range b.hosts {
		if err := h.log.broken; err != nil {
			b.t.Errorf("the log of %s: %v", h.name, err)
		}
	}
	b.say("all is well again; the books are balanced, for %s at most", b.o.Patience)
	balances, err := b.settle(ctx, gauges, halt)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := errors.Join(b.broken...); err != nil {
		b.t.Errorf("the bench itself failed: %v", err)
	}
	return balances
}

// TestFaults is the short form. It shows as well that the books are able to fail.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	b := newBench(t, options{
		Seed: 1, Kills: 25, Time: 12 * time.Second, Endure: 4 * time.Second, Patience: 20 * time.Second, Hosts: 3, Muster: long.Muster,
	})
	balances := b.run(t.Context())
	t.Logf("the server ended by itself %d times\n%s", b.server.byself, b.table(balances))
	if n := losses(balances); n > 0 {
		t.Errorf("%d losses; seed %d", n, b.o.Seed)
	}
	b.sabotage(t.Context(), balances)
}

// TestLongFaults is what "make faults" runs.
func TestLongFaults(t *testing.T) {
	if !runLong {
		t.Skip("make faults runs it")
	}
	o := long
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	b := newBench(t, o)
	balances := b.run(t.Context())
	b.result = fmt.Sprintf("\nseed %d; the server ended by itself %d times\n\n%s", o.Seed, b.server.byself, b.table(balances))
	if n := losses(balances); n > 0 {
		t.Errorf("%d losses; to draw the same faults again: make faults FAULTS_SEED=%d", n, o.Seed)
	}
}
