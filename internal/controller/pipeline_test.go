package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/entry"
	"muster/internal/mail/sink"
	"muster/internal/queue"
	"muster/internal/store"
)

func TestASweepIsStoredAndMailed(t *testing.T) {
	r := newRig(t)
	r.later(0, "h1")
	s := r.mustRun()
	if s.Visited != 2 || len(s.Failed) != 1 || s.Raised != 1 || s.Firing != 1 || s.Ended != 0 || s.Unkept != 0 {
		t.Errorf("summary: %+v", s)
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM visits": 3, "SELECT count(*) FROM statistics": 2, "SELECT count(*) FROM sweeps WHERE ended IS NOT NULL AND failed = 1": 1,
		"SELECT count(*) FROM alerts WHERE state = 'firing' AND notified = 'firing'": 1,
	} {
		if got := r.query(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if got := r.mails(0); len(got) != 1 || !strings.HasPrefix(got[0], "web@example.org: ") {
		t.Fatalf("mails: %q", got)
	}
	r.later(time.Minute, "h1")
	r.mustRun() // another process
	if got := r.mails(1); len(got) != 0 {
		t.Errorf("mailed again: %q", got)
	}
	r.later(time.Minute)
	if s := r.mustRun(); s.Ended != 1 || s.Firing != 0 {
		t.Errorf("summary: %+v", s)
	}
	if got := r.mails(1); len(got) != 1 || !strings.Contains(got[0], "over") {
		t.Errorf("mails: %q", got)
	}
	if got := r.query("SELECT count(*) FROM visits"); got != 9 {
		t.Errorf("%d visits are stored, want 9", got)
	}
}

func TestADatabaseThatOpensLate(t *testing.T) {
	r := newRig(t)
	unblock := r.blockDatabase()
	r.later(0, "h1")
	s, err := r.run()
	if !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "reports wait in the queue") {
		t.Errorf("Run = %v, want that reports wait", err)
	}
	if s.Raised != 1 || len(r.mails(0)) != 1 {
		t.Errorf("summary: %+v, mails: %q; want the alert, mailed without a database", s, r.mails(0))
	}
	o, err := Inspect(t.Context(), r.config)
	if err != nil {
		t.Fatal(err)
	}
	if o.Running != nil || o.Facts.Queue.Consumers[0].Name != storeReader || o.Facts.Queue.Consumers[0].Waiting != 5 ||
		o.Facts.Queue.Consumers[0].Oldest.IsZero() || o.Facts.Queue.Consumers[1].Waiting != 0 || o.Facts.Alerts.Firing != 1 {
		t.Errorf("facts: %+v, want two parts of a sweep and three visits that wait", o.Facts)
	}
	unblock()
	r.later(time.Minute, "h1")
	r.mustRun()
	if got := r.query("SELECT count(*) FROM visits"); got != 6 {
		t.Errorf("%d visits are stored, want those of both sweeps", got)
	}
	if got := r.query("SELECT count(*) FROM alerts WHERE state = 'firing' AND notified = 'firing'"); got != 1 {
		t.Errorf("%d alerts are stored as firing", got)
	}
	if len(r.mails(0)) != 1 {
		t.Errorf("mails: %q", r.mails(0))
	}
}

func TestInspectAndRetry(t *testing.T) {
	r := newRig(t)
	if o, err := Inspect(t.Context(), r.config); o != nil || err != nil {
		t.Errorf("Inspect = %+v, %v before there is anything", o, err)
	}
	if n, err := RetryDead(t.Context(), r.config); n != 0 || err != nil {
		t.Errorf("RetryDead = %d, %v before there is anything", n, err)
	}
	r.later(0, "h1")
	c, stop := r.serve()
	p := c.behind.(*pipeline)
	if err := p.queue.Put(t.Context(), queue.Entry{Kind: entry.KindVisit, ID: "poison", Data: []byte{9}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.recorder.Settle(t.Context()), p.watch.Settle(t.Context()), p.queue.Look(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := r.post.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}

	o, err := Inspect(t.Context(), r.config)
	if err != nil {
		t.Fatal(err)
	}
	if o.Running == nil || o.Running.Version != "test" || o.Facts.Queue.DeadLetters != 1 || o.Facts.Alerts.Firing != 1 ||
		o.Facts.Database.Rows != 2 || o.Undone.Mail == nil {
		t.Errorf("of the running server: %+v, %+v", o.Running, o.Facts)
	}
	if d := o.Undone.Dead; len(d) != 1 || d[0].ID != "poison" || d[0].Kind != entry.KindStoreVisit ||
		!strings.Contains(d[0].Reason, "version is 9") || d[0].Buried.IsZero() {
		t.Errorf("dead letters: %+v", d)
	}
	if n, err := RetryDead(t.Context(), r.config); n != 1 || err != nil {
		t.Errorf("RetryDead = %d, %v, want the one", n, err)
	}
	if err := p.recorder.Settle(t.Context()); err != nil { // and it is dead again
		t.Fatal(err)
	}

	// Two servers on one data directory.
	if _, err := New(t.Context(), Options{Config: r.config, Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, ErrUnusable) ||
		!strings.Contains(err.Error(), "another muster") {
		t.Errorf("New = %v beside a running server", err)
	}
	stop()

	if o, err = Inspect(t.Context(), r.config); err != nil {
		t.Fatal(err)
	}
	if o.Running != nil || o.Facts.Queue.DeadLetters != 1 || len(o.Undone.Dead) != 1 || o.Facts.Alerts.Firing != 1 || o.Undone.Mail == nil {
		t.Errorf("of no server: %+v", o)
	}
	if n, err := RetryDead(t.Context(), r.config); n != 1 || err != nil {
		t.Errorf("RetryDead = %d, %v, want the one", n, err)
	}
	if o, err = Inspect(t.Context(), r.config); err != nil || o.Facts.Queue.DeadLetters != 0 || o.Facts.Queue.Consumers[0].Waiting != 1 {
		t.Errorf("after RetryDead: %+v, %v", o.Facts.Queue, err)
	}
}

func TestAServerIsStartedAgain(t *testing.T) {
	r := newRig(t)
	for i := range 2 {
		_, stop := r.serve()
		stop()
		r.later(time.Hour) // the interval: another sweep is due
		if got := r.query("SELECT count(*) FROM visits"); got != 3*(i+1) {
			t.Errorf("%d visits are stored after %d starts: Serve is to store them before it returns", got, i+1)
		}
	}
	if _, err := os.Stat(filepath.Join(r.config.Server.Data, "control.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control socket is left: %v", err)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r.config.Server.Listen = l.Addr().String()
	c := r.open()
	defer r.close(c)
	if err := c.Serve(t.Context()); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), r.config.Server.Listen) {
		t.Errorf("Serve = %v, want that the port is taken", err)
	}
	if n := len(r.ended); n != 0 {
		t.Errorf("%d sweeps were made", n)
	}
}

func TestHistoryIsDeleted(t *testing.T) {
	r := newRig(t)
	r.config.Database.Keep = 24 * time.Hour
	r.mustRun()
	if got := r.query("SELECT count(*) FROM visits"); got != 3 {
		t.Fatalf("%d visits are stored", got)
	}
	r.later(25 * time.Hour)
	_, stop := r.serve()
	r.log.wait("statistics=3 visits=3") // of what is deleted
	stop()
	if got := r.query("SELECT count(*) FROM visits"); got != 3 {
		t.Errorf("%d visits are stored, want those of the last sweep", got)
	}
	if old := r.query("SELECT count(DISTINCT sweep_time) FROM visits"); old != 1 {
		t.Errorf("visits of %d sweeps are stored", old)
	}
}

func TestHistoryIsKept(t *testing.T) {
	r := newRig(t)
	d, err := newDatabase(r.config, slog.New(slog.DiscardHandler), r.clock)
	if err != nil {
		t.Fatal(err)
	}
	d.prune(t.Context()) // returns at once: there is nothing to do, ever
}

func TestWithoutMailServer(t *testing.T) {
	r := newRig(t)
	r.config.Mail = nil
	for i := range r.config.Hosts {
		r.config.Hosts[i].Mail = nil
	}
	r.later(0, "h1")
	if s := r.mustRun(); s.Raised != 1 {
		t.Errorf("summary: %+v", s)
	}
	o, err := Inspect(t.Context(), r.config)
	if err != nil || o.Undone.Mail != nil || o.Facts.Alerts.Firing != 1 {
		t.Errorf("Inspect = %+v, %v", o, err)
	}
}

func TestAMailServerThatIsAwayCostsDelay(t *testing.T) {
	r := newRig(t)
	port := r.config.Mail.Port
	_ = r.post.Close()
	r.later(0, "h1")
	if _, err := r.run(); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "web@example.org") {
		t.Errorf("Run = %v, want whose mail waits", err)
	}
	o, err := Inspect(t.Context(), r.config)
	if err != nil || o.Facts.Mail.Waiting != 1 || o.Undone.Mail.Waiting != 1 {
		t.Errorf("Inspect = %+v, %v, want a mail that waits", o, err)
	}
	post, err := sink.Listen(fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Skip("somebody else has the port now:", err)
	}
	defer func() { _ = post.Close() }()
	r.later(time.Minute, "h1")
	r.mustRun()
	if n := len(post.Mails()); n != 1 {
		t.Errorf("%d mails, want the one that waited", n)
	}
}

func TestConfigurationThatCantBeUsed(t *testing.T) {
	r := newRig(t)
	r.config.Database.URL = "oracle:x"
	if _, err := New(t.Context(), Options{Config: r.config, Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, store.ErrURL) {
		t.Errorf("New = %v, want that the URL is none", err)
	}
	r = newRig(t)
	if err := os.WriteFile(r.config.Server.Data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Options{Config: r.config, Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, ErrUnusable) {
		t.Errorf("New = %v, want that the data directory can't be used", err)
	}
}
