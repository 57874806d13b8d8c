package controller

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/badday"
	"muster/internal/config"
	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/testserver"
	"muster/internal/visit"
)

const (
	goodHosts = 12
	// shortDeadline is that of the stage in which a bad host hangs: longer than all good visits together take.
	shortDeadline = 30 * time.Second
)

// course is an observer that notes the visits of a sweep in the order in which they end.
type course struct {
	mu     sync.Mutex
	visits []*visit.Visit
}

func (c *course) SweepStarted(context.Context, visit.Sweep) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits = nil
}

func (c *course) Visited(_ context.Context, v *visit.Visit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits = append(c.visits, v)
}

func (c *course) SweepEnded(context.Context, visit.Sweep) error { return nil }

// TestBadDay visits good hosts, and every bad one that there is between them, at once: first before their day turns bad,
// then twice on it. What becomes of each host is what its day says, the good ones are as they are without the bad ones,
// none waits for any of them, and nothing is left of anything.
func TestBadDay(t *testing.T) {
	folder := shortFolder(t)
	before, descriptors := stacks(), openFiles(t)
	fleet, err := badday.Start(folder, badday.Days(), goodHosts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fleet.Close() }()
	load := func(want func(*badday.Host) bool) *config.Config {
		t.Helper()
		file := filepath.Join(folder, "muster.xml")
		content := fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data" parallel="1000"/>
<timeouts dial="1m" handshake="1m" authentication="1m" platform="1m" deploy="1m" run="1m" receive="1m" visit="3m"/>
%s</muster>`, fleet.Configuration(shortDeadline.String(), want))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}

	clients := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): "#!/bin/sh\necho 1.0\n"})
	sweeps := func(t *testing.T, c *config.Config, judge ...func(t *testing.T, visits []*visit.Visit)) {
		t.Helper()
		seen := new(course)
		log := new(testserver.Buffer)
		made, err := New(t.Context(), Options{
			Config: c, Clients: clients, Observers: []visit.Observer{seen},
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := made.Close(); err != nil {
				t.Error(err)
			}
			if strings.Contains(log.String(), badday.Password) {
				t.Error("the password is in the log")
			}
		}()
		for _, judge := range judge {
			if _, err := made.Run(t.Context()); err != nil {
				t.Error(err)
			}
			judge(t, seen.visits)
			if n := made.visitor.(*visit.Visitor).Connections(); n != 0 {
				t.Errorf("%d connections are open", n)
			}
		}
	}

	var alone []string
	t.Run("good hosts alone", func(t *testing.T) {
		sweeps(t, load(func(h *badday.Host) bool { return h.Day == nil }), func(t *testing.T, visits []*visit.Visit) {
			judge(t, fleet, visits)
			alone = reported(visits)
		})
	})
	t.Run("with bad ones", func(t *testing.T) {
		sweeps(t, load(func(*badday.Host) bool { return true }),
			func(t *testing.T, visits []*visit.Visit) {
				judge(t, fleet, visits)
				undelayed(t, fleet, visits, alone)
				fleet.Turn()
			},
			func(t *testing.T, visits []*visit.Visit) {
				judge(t, fleet, visits)
				undelayed(t, fleet, visits, alone)
			})
	})

	fleet.Release()
	for end := time.Now().Add(time.Minute); fleet.Connections() > 0 && time.Now().Before(end); {
		runtime.Gosched() // the hosts notice in their own time that we are gone
	}
	for _, h := range fleet.Hosts {
		if n, _ := h.Server.Connections(); n > 0 {
			t.Errorf("%d connections are open at %s", n, h.Name)
		}
	}
	if left, err := fleet.Leftovers(); err != nil || len(left) > 0 {
		t.Errorf("files are left on the hosts: %q, %v", left, err)
	}
	if err := fleet.Close(); err != nil {
		t.Error(err)
	}
	noTrace(t, before, descriptors)
}

// judge compares each visit with what the host's day says.
func judge(t *testing.T, fleet *badday.Fleet, visits []*visit.Visit) {
	t.Helper()
	of := make(map[string]*visit.Visit)
	for _, v := range visits {
		of[v.Host] = v
	}
	for _, h := range fleet.Hosts {
		v := of[h.Name]
		if v == nil {
			if h.Day == nil {
				t.Errorf("%s was not visited", h.Name)
			}
			continue
		}
		stage, kind := h.Want()
		switch {
		case kind == "" && v.Failure != nil:
			t.Errorf("%s: %v (%s)", h.Name, v.Failure, v.Failure.Kind)
		case kind == "":
		case v.Failure == nil:
			t.Errorf("%s: there is a report, want %s at %s", h.Name, kind, stage)
		case v.Failure.Kind != kind || v.Failure.Stage != stage:
			t.Errorf("%s: got %s at %s, want %s at %s: %v", h.Name, v.Failure.Kind, v.Failure.Stage, kind, stage, v.Failure)
		case !strings.Contains(v.Failure.Help(), h.Day.Advice):
			t.Errorf("%s: the advice is %q, want something of %q", h.Name, v.Failure.Help(), h.Day.Advice)
		case strings.Contains(v.Failure.Error()+v.Failure.Help()+v.Log, badday.Password):
			t.Errorf("%s: the password is shown", h.Name)
		}
		if took := v.Took; kind == failure.Timeout && took > 2*time.Minute {
			t.Errorf("%s: the visit took %s, and its stage had %s", h.Name, took, shortDeadline)
		}
	}
}

// reported returns the hosts that reported, sorted.
func reported(visits []*visit.Visit) []string {
	var hosts []string
	for _, v := range visits {
		if v.Failure == nil && strings.HasPrefix(v.Host, "good-") {
			hosts = append(hosts, v.Host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// undelayed checks that the good hosts' visits are those of a sweep without bad ones, and that all of them had ended when
// the first visit ran into its deadline.
func undelayed(t *testing.T, fleet *badday.Fleet, visits []*visit.Visit, alone []string) {
	t.Helper()
	if got := reported(visits); !slices.Equal(got, alone) || len(alone) != goodHosts {
		t.Errorf("the good hosts that reported are %q, without the bad ones %q", got, alone)
	}
	hung := slices.IndexFunc(visits, func(v *visit.Visit) bool { return v.Failure != nil && v.Failure.Kind == failure.Timeout })
	if hung < 0 {
		t.Fatal("no visit ran into its deadline")
	}
	if late := reported(visits[hung:]); len(late) > 0 {
		t.Errorf("%q ended after a visit that hung", late)
	}
	if len(visits) != len(fleet.Hosts) {
		t.Errorf("%d visits for %d hosts", len(visits), len(fleet.Hosts))
	}
}

// shortFolder returns a folder whose path leaves a socket room.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "bad")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// stacks returns the stacks of all goroutines.
func stacks() []string {
	for size := 1 << 20; ; size *= 2 {
		buffer := make([]byte, size)
		if n := runtime.Stack(buffer, true); n < size {
			return strings.Split(string(buffer[:n]), "\n\n")
		}
	}
}

// openFiles returns how many descriptors this process has, or -1 where that can't be seen.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// noTrace checks that no goroutine runs that did not before, and that no descriptor is open.
func noTrace(t *testing.T, before []string, descriptors int) {
	t.Helper()
	known := make(map[string]bool)
	for _, stack := range before {
		id, _, _ := strings.Cut(stack, " [")
		known[id] = true
	}
	var left []string
	files := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		left = nil
		for _, stack := range stacks() {
			id, _, _ := strings.Cut(stack, " [")
			if !known[id] && !strings.Contains(stack, "runtime.gcBgMarkWorker") && !strings.Contains(stack, "database/sql.(*DB).connectionOpener") {
				left = append(left, stack)
			}
		}
		if files = openFiles(t); len(left) == 0 && files <= descriptors {
			return
		}
	}
	if len(left) > 0 {
		t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left[:min(len(left), 5)], "\n\n"))
	}
	if files > descriptors {
		t.Errorf("%d descriptors are open, %d were before", files, descriptors)
	}
}
