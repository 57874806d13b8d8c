package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/visit"
)

// noon is when the tests' clock begins.
func noon() time.Time { return time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC) }

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// stand is a Source whose facts a test sets.
type stand struct {
	mu    sync.Mutex
	facts Facts
	err   error
	asked int
}

func (s *stand) Facts(ctx context.Context) (Facts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if _, ok := ctx.Deadline(); !ok {
		return Facts{}, errors.New("asked without a deadline")
	}
	return s.facts, s.err
}

// fixture is a Health with a clock and facts of the test's own.
type fixture struct {
	*Health
	clock  *clock
	source *stand
}

func newFixture(hosts ...Host) *fixture {
	f := &fixture{clock: &clock{now: noon()}, source: &stand{}}
	f.Health = New(Options{Source: f.source, Version: "1.2.3", Interval: time.Minute, Now: f.clock.Now})
	f.SetHosts(hosts)
	return f
}

// sweep runs a sweep of the visits.
func (f *fixture) sweep(took time.Duration, visits ...*visit.Visit) {
	s := visit.Sweep{Time: f.clock.Now(), Hosts: len(visits)}
	f.SweepStarted(context.Background(), s)
	for _, v := range visits {
		v.Sweep = s.Time
		f.Visited(context.Background(), v)
	}
	f.clock.pass(took)
	_ = f.SweepEnded(context.Background(), s)
}

// good returns a visit that brought these statistics.
func good(host string, statistics ...report.Statistic) *visit.Visit {
	return &visit.Visit{
		ID: "v-" + host, Host: host, Started: noon(), Took: 250 * time.Millisecond, Sent: 100, Received: 2000,
		Stages: []visit.Timing{{Stage: failure.Dial, Took: 2 * time.Millisecond}, {Stage: failure.Run, Took: 200 * time.Millisecond}},
		Report: &report.Report{Host: host, Client: "1.2.3", OS: "linux", Arch: "amd64", Statistics: statistics},
	}
}

// bad returns a visit that failed.
func bad(host string, stage failure.Stage, kind failure.Kind) *visit.Visit {
	return &visit.Visit{
		ID: "v-" + host, Host: host, Started: noon(), Took: time.Second,
		Stages:  []visit.Timing{{Stage: stage, Took: time.Second}},
		Failure: failure.New(stage, kind, errors.New("no answer")),
	}
}

// statistic returns one of the catalogue.
func statistic(name, instance string, number float64) report.Statistic {
	d, ok := report.Lookup(name)
	if !ok {
		panic("the catalogue has no " + name)
	}
	return report.Statistic{Name: name, Instance: instance, Unit: d.Unit, Kind: d.Kind, Value: number}
}

// answer is what a page answered.
type answer struct {
	code   int
	header http.Header
	body   string
}

// get asks for a page; headers are given as name, value, name, value.
func get(t testing.TB, handler http.Handler, path string, headers ...string) answer {
	t.Helper()
	return ask(t, handler, http.MethodGet, path, headers...)
}

func ask(t testing.TB, handler http.Handler, method, path string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{w.Code, w.Header(), string(body)}
}

// samples returns the lines of a page that are no comments, by what stands before the value.
func samples(t testing.TB, body string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		if i < 0 {
			t.Fatalf("a line has no value: %q", line)
		}
		if _, ok := all[line[:i]]; ok {
			t.Errorf("there are two of %s", line[:i])
		}
		all[line[:i]] = line[i+1:]
	}
	return all
}

// expect compares samples with what is wanted of them; an empty value: it is not there.
func expect(t testing.TB, body string, want map[string]string) {
	t.Helper()
	got := samples(t, body)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

// fullReport returns a value for each statistic that hosts report, with several instances where there are instances.
func fullReport(seed float64) []report.Statistic {
	var all []report.Statistic
	for i, d := range report.Catalogue() {
		if d.Name == "visit.failed" {
			continue
		}
		instances := []string{""}
		switch d.Instance {
		case "mode":
			instances = []string{"user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"}
		case "mount":
			instances = []string{"/", "/boot", "/var", "/home"}
		case "device":
			instances = []string{"sda", "sdb"}
		case "interface":
			instances = []string{"lo", "eth0"}
		case "sensor":
			instances = []string{"coretemp_package_id_0", "nvme"}
		}
		for j, instance := range instances {
			s := statistic(d.Name, instance, seed+float64(i)+float64(j)/10)
			all = append(all, s)
			if rate, ok := report.RateOf(d); ok {
				all = append(all, report.Statistic{Name: rate.Name, Instance: instance, Unit: rate.Unit, Kind: rate.Kind, Value: 1})
			}
		}
	}
	return all
}

// manyHosts returns hosts named h0, h1 …
func manyHosts(n int) []Host {
	hosts := make([]Host, n)
	for i := range hosts {
		hosts[i] = Host{Name: fmt.Sprintf("host-%05d.example.org", i), Group: "web/front"}
	}
	return hosts
}
