package cli

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"muster/internal/visit"
)

// TestProgressLeavesTheTerminal prints after each sweep, as run and demo do: what was printed stays, and the bar doesn't.
func TestProgressLeavesTheTerminal(t *testing.T) {
	tty := newTerminal(t, 80)
	p := newProgress(tty.File)
	if !p.visible {
		t.Fatal("a terminal is not seen as one")
	}
	ctx := context.Background()
	for _, c := range []struct{ sweep, hosts, visited int }{{1, 5, 5}, {2, 5, 3}, {3, 0, 0}} {
		p.SweepStarted(ctx, visit.Sweep{Hosts: c.hosts})
		for i := range c.visited {
			p.Visited(ctx, &visit.Visit{})
			if i == 1 {
				fmt.Fprintf(p.Log(), "log of sweep %d\n", c.sweep)
			}
		}
		if err := p.SweepEnded(ctx, visit.Sweep{Hosts: c.hosts}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(tty, "summary of sweep %d\n", c.sweep)
		fmt.Fprintf(p.Log(), "log after sweep %d\n", c.sweep)
	}
	p.Close()
	p.Close()
	want := []string{
		"log of sweep 1", "summary of sweep 1", "log after sweep 1",
		"log of sweep 2", "summary of sweep 2", "log after sweep 2",
		"summary of sweep 3", "log after sweep 3", "",
	}
	if got := tty.Screen(); !slices.Equal(got, want) {
		t.Errorf("the terminal shows\n%q\nwant\n%q", got, want)
	}
}

// TestStatusAsksTheTerminal prints onto a narrow terminal.
func TestStatusAsksTheTerminal(t *testing.T) {
	tty := newTerminal(t, 44)
	if err := printStatus(tty.File, statusHosts()[:1], nil, statusNow); err != nil {
		t.Fatal(err)
	}
	for _, line := range tty.Screen() {
		if len([]rune(line)) > 44 {
			t.Errorf("a line of %d cells on a terminal of 44: %q", len([]rune(line)), line)
		}
	}
}
