package controller

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/visit"
)

// logVisitor visits hosts with a log, and goes on as long as it may.
type logVisitor struct {
	mu      sync.Mutex
	asked   map[string][]string      // channels, by host
	further map[string]time.Duration // by host
	behind  map[string]bool          // hosts with more than one visit can read
}

func (l *logVisitor) Visit(ctx context.Context, host visit.Host, sweep time.Time) *visit.Visit {
	v := &visit.Visit{ID: host.Name, Host: host.Name, Sweep: sweep, Report: &report.Report{Host: host.Name}}
	l.mu.Lock()
	l.further[host.Name] = host.Further
	l.mu.Unlock()
	if host.Logs == nil {
		return v
	}
	release := func() {}
	for part := 0; ; part++ {
		p := &visit.Part{Visit: v.ID, Number: part, Sweep: sweep, Host: host.Name}
		for _, q := range host.Logs.Requests() {
			l.mu.Lock()
			l.asked[host.Name] = append(l.asked[host.Name], q.Channel)
			l.mu.Unlock()
			answer := records(q.Channel, 5, q.Cursor.Record+1, q.Cursor.Record+10)
			answer.More = l.behind[host.Name]
			p.Answers = append(p.Answers, answer)
			v.Logs = []visit.ChannelRead{{Channel: q.Channel, Records: 10 * (part + 1)}}
		}
		time.Sleep(time.Second) // of the test's own clock
		if err := host.Logs.Keep(ctx, p); err != nil {
			v.Report, v.Failure = nil, failure.New(failure.Decode, failure.Internal, err)
			return v
		}
		release()
		var ok bool
		if !l.behind[host.Name] || part == 30 {
			return v
		}
		if release, ok = host.Logs.Continue(); !ok {
			return v
		}
	}
}

// TestAHostThatIsBehindDelaysNoOther has one that could go on for ever among others, with few places.
func TestAHostThatIsBehindDelaysNoOther(t *testing.T) {
	for _, parallel := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			c, _, h := newTestController(t, 20, parallel)
			b := newBook(t)
			c.logs = b.logbook
			c.logs.places.bound(parallel)
			cfg := c.plan.Load().config
			for i := range cfg.Hosts {
				cfg.Hosts[i].Logs = []config.Logs{{Channel: "journal"}}
			}
			b.begin(t, cfg.Hosts...)
			l := &logVisitor{asked: make(map[string][]string), further: make(map[string]time.Duration), behind: map[string]bool{"h0": true, "h1": true}}
			c.visitor = l
			s, err := c.Run(t.Context())
			if err != nil || s.Visited != 20 {
				t.Fatalf("Run: %+v, %v", s, err)
			}
			if s.Records < 20*10 {
				t.Errorf("%d records came home", s.Records)
			}
			if parallel == 1 && len(l.asked["h0"]) != 1 {
				t.Errorf("the one place is kept for %d parts while others wait", len(l.asked["h0"]))
			}
			if parallel == 4 && len(l.asked["h0"]) <= 20 && len(l.asked["h1"]) <= 20 {
				t.Errorf("no host that is behind gets on: %d, %d parts", len(l.asked["h0"]), len(l.asked["h1"]))
			}
			if last := h.visits[len(h.visits)-1].Host; parallel == 4 && (last != "h0" && last != "h1" || s.Took > 32*time.Second) {
				t.Errorf("it took %v, and the last visit was that of %s", s.Took, last) // all others are made beside it
			}
			if l.further["h0"] != 0 {
				t.Errorf("a sweep that a person waits for has no next one: %v", l.further["h0"])
			}
		})
	}
}

// TestAVisitOfASweepEndsBeforeTheNext has a server that sweeps every minute, and another configuration.
func TestAVisitOfASweepEndsBeforeTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newTestController(t, 1, 4)
		b := newBook(t)
		c.logs = b.logbook
		host := &c.plan.Load().config.Hosts[0]
		host.Logs = []config.Logs{{Channel: "journal"}, {Channel: "Security"}}
		b.begin(t, *host)
		l := &logVisitor{asked: make(map[string][]string), further: make(map[string]time.Duration)}
		c.visitor = l
		o := now(c)
		o.asked = false
		if _, err := c.sweep(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if got := l.further["h0"]; got != 52500*time.Millisecond {
			t.Errorf("of a minute it may take %v", got)
		}
		if got := l.asked["h0"]; !slices.Equal(got, []string{"journal", "Security"}) {
			t.Errorf("it asks for %v", got)
		}
	})
}

// TestLogsAreTakenOverByAReload takes a channel out, which is accident enough, and adds another; and puts it back.
func TestLogsAreTakenOverByAReload(t *testing.T) {
	r := newRig(t)
	for i := range r.config.Hosts {
		r.config.Hosts[i].Logs = []config.Logs{{Channel: "journal"}}
	}
	c := r.open()
	defer r.close(c)
	l := &logVisitor{asked: make(map[string][]string), further: make(map[string]time.Duration)}
	c.visitor = l
	sweep := func() {
		t.Helper()
		if _, err := c.sweep(t.Context(), now(c)); err != nil {
			t.Fatal(err)
		}
		r.later(time.Minute)
	}
	stop := c.behind.start()
	defer stop()
	sweep()
	next := *r.config
	next.Hosts = slices.Clone(r.config.Hosts)
	next.Hosts[0].Logs = []config.Logs{{Channel: "file:/var/log/auth.log"}}
	if _, err := c.adopt(t.Context(), &next, false); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := c.adopt(t.Context(), r.config, false); err != nil {
		t.Fatal(err)
	}
	sweep()
	if got := l.asked["h0"]; !slices.Equal(got, []string{"journal", "file:/var/log/auth.log", "journal"}) {
		t.Errorf("it asks for %v", got)
	}
	p := c.behind.(*pipeline)
	if got := p.cursors.Requests("h0", []report.LogRequest{{Channel: "journal"}})[0].Cursor.Record; got != 20 {
		t.Errorf("the journal is read up to %d, want 20", got)
	}
	f, err := p.Facts(t.Context())
	if err != nil || f.Logs.Records != 90 || f.Logs.Behind != 0 {
		t.Errorf("facts: %+v, %v", f.Logs, err)
	}
}

// TestStatusTellsOfLogs by a server that runs, and by what one has left.
func TestStatusTellsOfLogs(t *testing.T) {
	r := newRig(t)
	r.config.Hosts[0].Logs = []config.Logs{{Channel: "journal"}, {Channel: "Security"}}
	c := r.open()
	p := c.behind.(*pipeline)
	behind := records("journal", 5, 1, 1)
	behind.More = true
	denied := report.Logs{Channel: "Security", Trouble: &report.Trouble{Kind: report.TroubleDenied, Text: "access is denied"}}
	part := brought(behind, denied)
	part.Host = "h0"
	if err := c.logs.of(&r.config.Hosts[0]).Keep(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	f, err := p.Facts(t.Context())
	if err != nil || f.Logs.Behind != 1 || f.Logs.Trouble != 1 || f.Logs.Records != 1 || f.Logs.Paused {
		t.Errorf("facts: %+v, %v", f.Logs, err)
	}
	r.close(c)
	o, err := Inspect(t.Context(), r.config)
	if err != nil {
		t.Fatal(err)
	}
	if l := o.Undone.Logs; len(l) != 2 || l[0].Trouble != report.TroubleDenied || l[1].Behind.IsZero() || o.Facts.Logs.Behind != 1 {
		t.Errorf("it shows %+v, %+v", l, o.Facts.Logs)
	}
}

// TestLogsReachTheDatabaseOnce over several processes, one of which is killed between the queue and the cursor.
func TestLogsReachTheDatabaseOnce(t *testing.T) {
	r := newRig(t)
	r.config.Hosts = r.config.Hosts[:1]
	r.config.Hosts[0].Logs = []config.Logs{{Channel: "journal"}}
	read := func() {
		t.Helper()
		c := r.open()
		defer r.close(c)
		c.visitor = &logVisitor{
			asked: make(map[string][]string), further: make(map[string]time.Duration), behind: map[string]bool{"h0": true},
		}
		s, err := c.Run(t.Context())
		if err != nil || s.Records != 310 {
			t.Fatalf("Run: %+v, %v", s, err)
		}
		r.later(time.Minute)
	}
	read()
	if got := r.query("SELECT count(*) FROM logs"); got != 310 {
		t.Fatalf("%d records are stored, want 310", got)
	}

	c := r.open()
	journal := []report.LogRequest{{Channel: "journal"}}
	cursor := c.logs.cursors.Requests("h0", journal)[0].Cursor
	if cursor.Record != 310 {
		t.Errorf("the cursor is at %+v", cursor)
	}
	killed := &entry.Logs{
		Visit: "v", Sweep: r.clock(), Host: "h0", Read: r.clock(),
		Channels: []report.Logs{records("journal", 5, 311, 330)},
	}
	if err := c.keeper.logs(t.Context(), killed); err != nil {
		t.Fatal(err)
	}
	r.close(c)

	read()
	for query, want := range map[string]int{
		"SELECT count(*) FROM logs": 620, "SELECT count(DISTINCT record_id) FROM logs": 620, "SELECT record_id FROM cursors": 620,
	} {
		if got := r.query(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

// visitFunc is a visitor.
type visitFunc func(host visit.Host, sweep time.Time) *visit.Visit

func (f visitFunc) Visit(_ context.Context, host visit.Host, sweep time.Time) *visit.Visit {
	return f(host, sweep)
}

// TestASweepCountsTheHostsWhoseLogsCantBeRead once each, however many logs.
func TestASweepCountsTheHostsWhoseLogsCantBeRead(t *testing.T) {
	denied := &report.Trouble{Kind: report.TroubleDenied, Text: "access is denied"}
	c, _, _ := newTestController(t, 3, 4)
	c.visitor = visitFunc(func(host visit.Host, sweep time.Time) *visit.Visit {
		v := &visit.Visit{ID: host.Name, Host: host.Name, Sweep: sweep, Report: &report.Report{Host: host.Name}}
		v.Logs = map[string][]visit.ChannelRead{
			"h0": {{Channel: "journal", Trouble: denied}, {Channel: "file:/x", Records: 5, Trouble: denied}},
			"h1": {{Channel: "journal", Records: 3}, {Channel: "file:/x", Trouble: denied}},
			"h2": {{Channel: "journal", Records: 1, More: true}},
		}[host.Name]
		return v
	})
	s, err := c.Run(t.Context())
	if err != nil || s.Visited != 3 || s.Unread != 2 || s.Records != 9 {
		t.Errorf("Run: %+v, %v", s, err)
	}
}
