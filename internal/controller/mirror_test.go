package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/cursors"
	"muster/internal/report"
)

// fakeCopies is a database with copies of cursors, which may be away, or not answer.
type fakeCopies struct {
	takes time.Duration // an answer; without end where it is negative

	mu     sync.Mutex
	away   error
	stored map[string]map[string]report.Cursor
	asked  map[string]int // how often, by host
	times  []int          // how many hosts, by query
}

var errDatabaseAway = errors.New("connection refused")

func (f *fakeCopies) open(context.Context) (copies, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f, f.away
}

func (f *fakeCopies) Cursors(ctx context.Context, channels map[string][]string) (map[string]map[string]report.Cursor, error) {
	if f.takes < 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(f.takes) // of the test's own clock
	f.mu.Lock()
	defer f.mu.Unlock()
	for host := range channels {
		f.asked[host]++
	}
	f.times = append(f.times, len(channels))
	return f.stored, f.away
}

func (f *fakeCopies) set(away error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// asking is a mirror beside such a database.
type asking struct {
	*mirror
	t        *testing.T
	database *fakeCopies
	text     bytes.Buffer
	stop     func()
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	a := &asking{t: t, database: &fakeCopies{stored: make(map[string]map[string]report.Cursor), asked: make(map[string]int)}}
	c, err := cursors.New(t.Context(), newShelfTable(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a.mirror = newMirror(slog.New(slog.NewTextHandler(&a.text, nil)), c)
	return a
}

// start starts the asking, as a pipeline does.
func (a *asking) start() {
	crew := newCrew(func(ctx context.Context) { a.run(ctx, a.database.open) })
	a.stop = crew.stop
}

// waits returns for how long a visit waits.
func (a *asking) waits(host string) time.Duration {
	began := time.Now()
	a.await(a.t.Context(), host)
	return time.Since(began)
}

// asks returns at which record a channel of a host is gone on with; -1: it is not asked for.
func (a *asking) asks(host, channel string) int64 {
	for _, r := range a.cursors.Requests(host, []report.LogRequest{{Channel: channel}}) {
		return r.Cursor.Record
	}
	return -1
}

var channelsOfTwo = map[string][]string{"h0": {"x", "y"}, "h1": {"x"}}

func TestVisitsWaitForADatabaseThatIsJustOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		a.database.takes = 2 * time.Second
		a.database.stored["h0"] = map[string]report.Cursor{"x": {Epoch: 5, Record: 9, Position: "p"}}
		a.adopt(channelsOfTwo)
		a.start()
		defer a.stop()
		if took := a.waits("a host without logs"); took != 0 {
			t.Errorf("who has nothing to ask waits for %v", took)
		}
		if n := a.asks("h0", "x"); n != -1 {
			t.Errorf("before the answer it asks from record %d on", n)
		}
		if hosts, reason := a.state(); hosts != 2 || reason != nil {
			t.Errorf("%d hosts wait: %v", hosts, reason)
		}
		if took := a.waits("h0"); took != 2*time.Second {
			t.Errorf("it waits for %v", took)
		}
		if x, y, other := a.asks("h0", "x"), a.asks("h0", "y"), a.asks("h1", "x"); x != 9 || y != 0 || other != 0 {
			t.Errorf("it goes on at %d, %d, %d", x, y, other)
		}
		synctest.Wait()
		if hosts, _ := a.state(); hosts != 0 || a.waits("h0") != 0 {
			t.Errorf("%d hosts wait", hosts)
		}
		if said := a.text.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=INFO") || !strings.Contains(said, "hosts=2 channels=1") {
			t.Errorf("it says\n%s", said)
		}
	})
}

func TestADatabaseThatIsAwayHoldsUpNoVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		a.begin("h1", "x")
		a.database.away = errDatabaseAway
		a.database.stored["h0"] = map[string]report.Cursor{"x": {Epoch: 5, Record: 9, Position: "p"}}
		a.adopt(map[string][]string{"h0": {"x"}, "h1": {"x", "new"}, "h2": {"x"}})
		a.start()
		defer func() { a.stop() }()
		for host, known := range map[string]int64{"h0": -1, "h1": 0, "h2": -1} {
			if took := a.waits(host); took != 0 || a.asks(host, "x") != known {
				t.Errorf("%s waits for %v, and asks from %d on", host, took, a.asks(host, "x"))
			}
		}
		if hosts, reason := a.state(); hosts != 3 || !errors.Is(reason, errDatabaseAway) {
			t.Errorf("%d hosts wait: %v", hosts, reason)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := strings.Count(a.text.String(), "connection refused"); n < 20 || n > 30 {
			t.Errorf("in ten minutes it is tried %d times:\n%s", n, a.text.String())
		}
		// Another configuration, and other writers: what is left is asked of the database that there is then.
		a.stop()
		a.adopt(map[string][]string{"h0": {"x"}, "h1": {"x", "new"}})
		if hosts, _ := a.state(); hosts != 2 || a.waits("h0") != 0 {
			t.Errorf("%d hosts wait", hosts)
		}
		a.text.Reset()
		a.database.set(nil)
		a.start()
		synctest.Wait()
		if hosts, reason := a.state(); hosts != 0 || reason != nil || a.asks("h0", "x") != 9 || a.asks("h1", "new") != 0 || a.asks("h2", "x") != -1 {
			t.Errorf("it is back, and %d hosts wait: %v", hosts, reason)
		}
		if said := a.text.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=INFO") {
			t.Errorf("it says\n%s", said)
		}
	})
}

// TestADatabaseThatComesBackIsAskedSoon within half a minute.
func TestADatabaseThatComesBackIsAskedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		a.database.away = errDatabaseAway
		a.adopt(channelsOfTwo)
		a.start()
		defer a.stop()
		time.Sleep(time.Hour)
		a.database.set(nil)
		time.Sleep(askMost)
		synctest.Wait()
		if a.asks("h0", "x") != 0 || a.asks("h1", "x") != 0 {
			t.Error("it is not asked")
		}
		if !strings.HasSuffix(a.text.String(), "hosts=2 channels=0\n") {
			t.Errorf("that it was asked is not told:\n%s", a.text.String())
		}
	})
}

func TestADatabaseThatDoesNotAnswerCostsPatienceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		a.database.takes = -1
		a.adopt(channelsOfTwo)
		a.start()
		defer func() { a.stop() }()
		time.Sleep(time.Second)
		ctx, cancel := contextAfter(t, time.Second)
		defer cancel()
		began := time.Now()
		if a.await(ctx, "h0"); time.Since(began) != time.Second {
			t.Errorf("it waits for %v after all is over", time.Since(began))
		}
		if took := a.waits("h0"); took != patience-2*time.Second {
			t.Errorf("it waits for %v", took)
		}
		if took := a.waits("h1"); took != 0 || a.asks("h1", "x") != -1 {
			t.Errorf("another one waits for %v", took)
		}
		if said := a.text.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "does not answer") {
			t.Errorf("it says\n%s", said)
		}
		// Hosts of another configuration may be answered sooner.
		a.adopt(map[string][]string{"h0": {"x"}, "h9": {"x"}})
		if took := a.waits("h9"); took != patience || strings.Count(a.text.String(), "\n") != 2 {
			t.Errorf("a new one waits for %v", took)
		}
	})
}

// TestWhatIsNotAnsweredIsAskedOfTheNextDatabase, which another configuration names.
func TestWhatIsNotAnsweredIsAskedOfTheNextDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		a.database.takes = -1
		a.adopt(channelsOfTwo)
		a.start()
		synctest.Wait()
		a.stop()
		if said := a.text.String(); said != "" {
			t.Errorf("that it was stopped is told:\n%s", said)
		}
		a.database.takes = 0
		a.start()
		defer func() { a.stop() }()
		synctest.Wait()
		if a.asks("h0", "x") != 0 || a.asks("h1", "x") != 0 {
			t.Error("it is not asked")
		}
	})
}

// TestAFleetIsAskedForOnce, a few hundred hosts at a time, and not at all where the table knows it.
func TestAFleetIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		all := make(map[string][]string)
		for i := range 1000 {
			host := fmt.Sprint("h", i)
			all[host] = []string{"journal"}
			a.database.stored[host] = map[string]report.Cursor{"journal": {Epoch: 5, Record: int64(i), Position: "p"}}
		}
		a.adopt(all)
		a.start()
		defer func() { a.stop() }()
		synctest.Wait()
		for host := range all {
			if n := a.database.asked[host]; n != 1 {
				t.Fatalf("%s is asked for %d times", host, n)
			}
		}
		if len(a.database.times) != 3 || a.asks("h999", "journal") != 999 {
			t.Errorf("in queries for %v hosts", a.database.times)
		}
		a.adopt(all)
		a.stop()
		a.start()
		synctest.Wait()
		if len(a.database.times) != 3 {
			t.Errorf("it is asked again: %v", a.database.times)
		}
	})
}

func TestADamagedCopyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		a.database.stored["h0"] = map[string]report.Cursor{"x": {Epoch: -5}, "y": {Epoch: 5, Record: 9}}
		a.adopt(channelsOfTwo)
		a.start()
		defer a.stop()
		synctest.Wait()
		if a.asks("h0", "x") != 0 || a.asks("h0", "y") != 9 {
			t.Error("one damaged copy spoils others")
		}
		if said := a.text.String(); !strings.Contains(said, "level=ERROR") || !strings.Contains(said, "epoch -5") || !strings.Contains(said, "host=h0") {
			t.Errorf("it says\n%s", said)
		}
	})
}

// begin has channels of a host begin as such that were never read.
func (a *asking) begin(host string, channels ...string) {
	a.t.Helper()
	if _, err := a.cursors.TakeUp(host, channels, nil); err != nil {
		a.t.Fatal(err)
	}
}

// lose destroys the data directory; the database lies elsewhere.
func (r *rig) lose() {
	r.t.Helper()
	if err := os.RemoveAll(r.config.Server.Data); err != nil {
		r.t.Fatal(err)
	}
}

// readLogs makes a sweep in a process of its own, in which the log of a host is read to the end of ten records, if it is asked for.
func (r *rig) readLogs() (Summary, string, error) {
	r.t.Helper()
	c := r.open()
	defer r.close(c)
	c.visitor = &logVisitor{asked: make(map[string][]string), further: make(map[string]time.Duration)}
	s, err := c.Run(r.t.Context())
	f, failed := c.behind.(*pipeline).Facts(r.t.Context())
	if failed != nil {
		r.t.Fatal(failed)
	}
	r.later(time.Minute)
	return s, fmt.Sprint(f.Logs.Waiting, " ", f.Logs.Reason), err
}

// TestALostDataDirectoryIsMadeUpFor by the database, as soon as that is there.
func TestALostDataDirectoryIsMadeUpFor(t *testing.T) {
	r := newRig(t)
	for i := range r.config.Hosts[:2] {
		r.config.Hosts[i].Logs = []config.Logs{{Channel: "journal"}}
	}
	stored := 0
	read := func(records int) {
		t.Helper()
		if s, waiting, err := r.readLogs(); err != nil || s.Records != records || s.Visited != 3 || waiting != "0 " {
			t.Fatalf("Run: %+v, %q, %v", s, waiting, err)
		}
		stored += records
		for query, want := range map[string]int{
			"SELECT count(*) FROM logs": stored, "SELECT max(record_id) FROM logs": stored / 2, "SELECT min(record_id) FROM cursors": stored / 2,
		} {
			if got := r.query(query); got != want {
				t.Fatalf("%s: %d, want %d", query, got, want)
			}
		}
	}
	read(20) // a new server with a new database: nobody has to wait for the next sweep
	read(20)
	r.lose()
	read(20)
	read(20)

	r.lose()
	folder := strings.TrimSuffix(strings.TrimPrefix(r.config.Database.URL, "sqlite:"), "/muster.db")
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	unblock := r.blockDatabase()
	for range 2 { // processes, the second of which finds a data directory
		s, waiting, err := r.readLogs()
		if !errors.Is(err, ErrUnusable) || s.Visited != 3 || s.Records != 0 || !strings.HasPrefix(waiting, "2 ") || !strings.Contains(waiting, "database") {
			t.Errorf("with the database away: %+v, %q, %v", s, waiting, err)
		}
	}
	r.log.wait("logs are not read until the database has said where their reading stands")
	unblock()
	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	read(20)
}
