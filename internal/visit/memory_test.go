package visit_test

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// clock is one that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_772_000_000, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// counting is a client whose counters and uptime are what the test sets.
type counting struct {
	clock    *clock
	received float64
	uptime   float64
	requests []report.Request
}

func (c *counting) client() sshtest.Handler {
	return reporting(func(request *report.Request, r *report.Report) {
		c.requests = append(c.requests, *request)
		r.Time = c.clock.now()
		r.Statistics = []report.Statistic{
			{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: c.uptime},
			{Name: "network.received", Instance: "eth0", Unit: "B", Kind: report.Counter, Value: c.received},
			{Name: "custom.events", Unit: "1", Kind: report.Counter, Value: 2 * c.received},
		}
	})
}

func TestRatesOverTheTimeBetweenVisits(t *testing.T) {
	f := newFake(t, nil)
	c := &counting{clock: &clock{}, received: 1000, uptime: 5000}
	f.becomes(c.client())
	visitor := visit.New(visit.Options{Clients: f.clients, Now: c.clock.now})
	host := f.host(t)

	first := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, first)
	if len(first.Report.Statistics) != 3 || c.requests[0].Sample != 250*time.Millisecond {
		t.Errorf("the first visit asked for a sample of %s and has %v", c.requests[0].Sample, first.Report.Statistics)
	}

	// A report that was lost on the way is none: the next visit begins where the last one did that was kept.
	c.clock.advance(10 * time.Second)
	if lost := visitor.Visit(t.Context(), host, sweep); c.requests[1].Sample != 250*time.Millisecond || lost.Report == nil {
		t.Errorf("the visit after one that was not kept asked for a sample of %s", c.requests[1].Sample)
	}
	c.requests = c.requests[:1]
	first.Acknowledge()
	c.received, c.uptime = 6000, 5010
	second := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, second)
	if c.requests[1].Sample != 0 {
		t.Errorf("the second visit asked for a sample of %s, and has something to compare with", c.requests[1].Sample)
	}
	for name, want := range map[string]float64{"network.received.rate": 500, "custom.events.rate": 1000, "network.received": 6000} {
		if got, ok := value(second.Report, name); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
		}
	}

	second.Acknowledge()

	// A failure in between loses nothing: the next rate is over the whole time.
	f.becomes(saying("", "", sshtest.Exit{Status: 1}))
	c.clock.advance(10 * time.Second)
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.ClientFailed)
	f.becomes(c.client())
	c.clock.advance(10 * time.Second)
	c.received, c.uptime = 6200, 5030
	third := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, third)
	if got, _ := value(third.Report, "network.received.rate"); math.Abs(got-10) > 1e-9 {
		t.Errorf("the rate over the gap is %v, want 10", got)
	}

	third.Acknowledge()

	// A host that was started again has no rates, whatever its counters say.
	c.clock.advance(10 * time.Second)
	c.received, c.uptime = 7000, 3
	fourth := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, fourth)
	if got, ok := value(fourth.Report, "network.received.rate"); ok {
		t.Errorf("there is a rate of %v over a restart", got)
	}
}

// commandsOf says what a visit ran, in short.
func commandsOf(commands []string) string {
	var short []string
	for _, c := range commands {
		switch {
		case strings.HasPrefix(c, "uname"):
			short = append(short, "uname")
		case strings.Contains(c, "--version"):
			short = append(short, "probe")
		case isClient(c):
			short = append(short, "client")
		}
	}
	return strings.Join(short, " ")
}

func TestAVisitAfterTheFirstRunsStraightAway(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(reporting(nil))
	visitor, host := f.visitor(), f.host(t)
	for n, want := range []string{"uname probe client", "client", "client"} {
		wantReport(t, visitor.Visit(t.Context(), host, sweep))
		if got := commandsOf(f.ran()); got != want {
			t.Errorf("visit %d ran %q, want %q", n, got, want)
		}
	}
	// A host whose configuration changed is another host.
	for name, change := range map[string]func(*visit.Host){
		"user":      func(h *visit.Host) { h.User = "other" },
		"directory": func(h *visit.Host) { h.Directory = "elsewhere" },
		"address":   func(h *visit.Host) { h.Address = "localhost" },
	} {
		changed := host
		change(&changed)
		v := visitor.Visit(t.Context(), changed, sweep)
		if name == "address" { // there is no host key for that name
			wantFailure(t, v, failure.Handshake, failure.HostKeyUnknown)
			continue
		}
		wantReport(t, v)
		if got := commandsOf(f.ran()); got != "uname probe client" {
			t.Errorf("after a change of the %s it ran %q", name, got)
		}
	}
}

// A client that is gone is deployed again in the same visit, once.
func TestClientThatIsGone(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		if _, err := os.Stat(s.Command); err != nil {
			_, _ = io.WriteString(s.Stderr, "sh: not found\n")
			return sshtest.Exit{Status: 127}
		}
		return reporting(nil)(ctx, s)
	})
	visitor, host := f.visitor(), f.host(t)
	wantReport(t, visitor.Visit(t.Context(), host, sweep))
	f.ran()
	if err := os.RemoveAll(filepath.Join(f.home, ".cache")); err != nil {
		t.Fatal(err)
	}
	v := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, v)
	if got := commandsOf(f.ran()); got != "client probe client" || !v.Uploaded {
		t.Errorf("it ran %q, uploaded: %v", got, v.Uploaded)
	}
	if got, want := stages(v), "dial handshake authentication deploy run receive open decode"; got != want {
		t.Errorf("the stages are %s, want %s", got, want)
	}
	if !strings.Contains(v.Log, "not found") {
		t.Errorf("the log is %q", v.Log)
	}

	// One that fails is given one more chance, and then the platform, too, is in question.
	f.becomes(saying("", "broken", sshtest.Exit{Status: 2}))
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.ClientFailed, "exit status 2", "broken")
	if got := commandsOf(f.ran()); got != "client probe client" {
		t.Errorf("it ran %q", got)
	}
	f.becomes(reporting(nil))
	wantReport(t, visitor.Visit(t.Context(), host, sweep))
	if got := commandsOf(f.ran()); got != "uname probe client" {
		t.Errorf("it ran %q", got)
	}
}

// Where others may come to own the client's folder, where it is must be found out at each visit: another day it is theirs.
func TestAClientOutsideTheHomeIsVettedEachTime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there nothing is vetted")
	}
	f := newFake(t, nil)
	f.becomes(reporting(nil))
	visitor, host := f.visitor(), f.host(t)
	host.Directory = filepath.Join(t.TempDir(), "muster")
	for n, want := range []string{"uname probe client", "probe client", "probe client"} {
		wantReport(t, visitor.Visit(t.Context(), host, sweep))
		if got := commandsOf(f.ran()); got != want {
			t.Errorf("visit %d ran %q, want %q", n, got, want)
		}
	}
	// The same client is still there, in a folder in which everybody may replace it by now.
	if err := os.Chmod(host.Directory, 0o777); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Deploy, failure.PermissionDenied, "everybody may replace")
	if got := commandsOf(f.ran()); got != "" {
		t.Errorf("it ran %q", got)
	}
}

// A visit that was cut short says nothing about what is on the host.
func TestALostConnectionIsNoReasonToForget(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(reporting(nil))
	visitor, host := f.visitor(), f.host(t)
	wantReport(t, visitor.Visit(t.Context(), host, sweep))
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		f.Disconnect()
		return sshtest.Hang(ctx, s)
	})
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.Disconnected)
	f.ran()
	f.becomes(reporting(nil))
	wantReport(t, visitor.Visit(t.Context(), host, sweep))
	if got := commandsOf(f.ran()); got != "client" {
		t.Errorf("it ran %q", got)
	}
}

func TestLog(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stdout, "Welcome to \x1b[1mweb1\x1b[0m\n")
		_, _ = io.WriteString(s.Stderr, "time=now msg=slow\n")
		return reporting(func(_ *report.Request, r *report.Report) { r.Time = time.Now().Add(time.Hour) })(ctx, s)
	})
	logger, logged := memoryLog()
	v := visit.New(visit.Options{Clients: f.clients, Logger: logger}).Visit(t.Context(), f.host(t), sweep)
	wantReport(t, v)
	for _, want := range []string{`Welcome to \x1b[1mweb1\x1b[0m`, "time=now msg=slow"} {
		if !strings.Contains(v.Log, want) {
			t.Errorf("the visit's log %q does not have %q", v.Log, want)
		}
	}
	if strings.Contains(logged(), "Welcome to") {
		t.Errorf("what the host said is the observers' to log, and was logged:\n%s", logged())
	}
	for _, want := range []string{"clock differs", "host=web1", "visit=" + v.ID, "skew=1h0m0s"} {
		if !strings.Contains(logged(), want) {
			t.Errorf("the server's log does not have %q:\n%s", want, logged())
		}
	}
}

func TestALogOfAnyLength(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stderr, "the beginning\n"+strings.Repeat("\x01 and so on\n", 400_000)+"the end\n")
		return reporting(nil)(ctx, s)
	})
	v := f.visitor().Visit(t.Context(), f.host(t), sweep)
	wantReport(t, v)
	if len(v.Log) > 16<<10 || !strings.HasSuffix(v.Log, "the end") || strings.Contains(v.Log, "\x01") {
		t.Errorf("the log has %d bytes and ends in %q", len(v.Log), v.Log[max(0, len(v.Log)-50):])
	}
}
