package controller

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/mail/sink"
	"muster/internal/report"
	"muster/internal/visit"
)

// rig is a data directory with a database and a mail server, and a fleet that is visited by a fake: all else is real.
type rig struct {
	t      *testing.T
	config *config.Config
	post   *sink.Sink
	log    *journalBook

	mu    sync.Mutex
	now   time.Time
	down  map[string]bool // hosts that can't be visited
	ended chan struct{}   // gets a token at the end of each sweep
}

// journalBook keeps what is logged, and tells when a message is.
type journalBook struct {
	t       *testing.T
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced
}

func (b *journalBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	close(b.changed)
	b.changed = make(chan struct{})
	return len(p), nil
}

// wait returns when the log has a text.
func (b *journalBook) wait(text string) {
	b.t.Helper()
	for {
		b.mu.Lock()
		found, changed := strings.Contains(b.text.String(), text), b.changed
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-b.t.Context().Done():
			b.t.Fatalf("%q was never logged", text)
		}
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	post, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = post.Close() })
	// Not t.TempDir: its path leaves a socket too little room.
	folder, err := os.MkdirTemp("", "muster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	known := filepath.Join(folder, "known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failed := 0.0
	c := &config.Config{
		Server:   config.Server{Data: filepath.Join(folder, "data"), Interval: time.Hour, Parallel: 4},
		Database: config.Database{URL: "sqlite:" + filepath.Join(folder, "database", "muster.db")},
		Queue:    config.Queue{Size: 1 << 30, Age: 24 * time.Hour},
		Mail: &config.Mail{
			Host: post.Host(), Port: post.Port(), Security: "none", From: "muster@example.org", To: []string{"all@example.org"},
			Timeout: 10 * time.Second,
		},
	}
	for i := range 3 {
		c.Hosts = append(c.Hosts, config.Host{
			Name: fmt.Sprint("h", i), Groups: []string{"web"}, KnownHosts: []string{known}, Password: config.NewSecret("x"),
			Mail: []string{"web@example.org"}, Limits: []config.Limit{{Statistic: "visit.failed", Unit: "1", Above: &failed}},
		})
	}
	return &rig{
		t: t, config: c, post: post, log: &journalBook{t: t, changed: make(chan struct{})},
		now: time.Now().UTC(), down: make(map[string]bool), ended: make(chan struct{}, 100),
	}
}

// Visit is a visit that takes no time.
func (r *rig) Visit(_ context.Context, host visit.Host, sweep time.Time) *visit.Visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &visit.Visit{ID: fmt.Sprint(host.Name, sweep.UnixMilli()), Host: host.Name, Sweep: sweep, Started: r.now}
	if r.down[host.Name] {
		v.Failure = failure.New(failure.Dial, failure.Refused, errors.New("connection refused"))
		return v
	}
	v.Report = &report.Report{Visit: v.ID, Host: host.Name, Statistics: []report.Statistic{
		{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: 42},
	}}
	return v
}

func (r *rig) SweepStarted(context.Context, visit.Sweep) {}
func (r *rig) Visited(context.Context, *visit.Visit)     {}

func (r *rig) SweepEnded(context.Context, visit.Sweep) error {
	r.ended <- struct{}{}
	return nil
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// later moves the clock and takes hosts down, all others up.
func (r *rig) later(by time.Duration, down ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(by)
	clear(r.down)
	for _, host := range down {
		r.down[host] = true
	}
}

// open makes a controller, as a new process does.
func (r *rig) open() *Controller {
	r.t.Helper()
	c, err := New(r.t.Context(), Options{
		Config: r.config, Logger: slog.New(slog.NewTextHandler(r.log, nil)), Observers: []visit.Observer{r}, Now: r.clock, Version: "test",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	c.visitor = r
	return c
}

func (r *rig) close(c *Controller) {
	r.t.Helper()
	if err := c.Close(); err != nil {
		r.t.Error(err)
	}
}

// run makes a sweep in a process of its own.
func (r *rig) run() (Summary, error) {
	r.t.Helper()
	c := r.open()
	defer r.close(c)
	return c.Run(r.t.Context())
}

func (r *rig) mustRun() Summary {
	r.t.Helper()
	s, err := r.run()
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// mails returns the mails since the first n, each as its receivers and its subject.
func (r *rig) mails(n int) []string {
	var all []string
	for _, m := range r.post.Mails()[n:] {
		subject := ""
		for line := range strings.Lines(string(m.Data)) {
			if s, ok := strings.CutPrefix(line, "Subject: "); ok {
				subject = strings.TrimSpace(s)
			}
		}
		all = append(all, strings.Join(m.To, " ")+": "+subject)
	}
	return all
}

// query returns the one number that a query has.
func (r *rig) query(query string) (n int) {
	r.t.Helper()
	path := strings.TrimPrefix(r.config.Database.URL, "sqlite:")
	// The file is locked while the last connection of a store closes.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(r.t.Context(), query).Scan(&n); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// blockDatabase puts a file where the database's folder is to be; unblock takes it away.
func (r *rig) blockDatabase() (unblock func()) {
	r.t.Helper()
	folder := filepath.Dir(strings.TrimPrefix(r.config.Database.URL, "sqlite:"))
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(folder); err != nil {
			r.t.Fatal(err)
		}
	}
}

// serve runs a server until stop is called.
func (r *rig) serve() (c *Controller, stop func()) {
	r.t.Helper()
	for len(r.ended) > 0 {
		<-r.ended
	}
	c = r.open()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := c.Serve(ctx); err != nil {
			r.t.Errorf("Serve: %v", err)
		}
	})
	<-r.ended // the first sweep
	return c, func() {
		cancel()
		serving.Wait()
		r.close(c)
	}
}

var _ visit.Observer = (*rig)(nil)
