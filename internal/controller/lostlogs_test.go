package controller

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/deploy/deploytest"
	"muster/internal/health"
	"muster/internal/store"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// growing is a log file that goes on growing, and is rotated now and then.
type growing struct {
	path    string
	stop    func() (lines int, err error) // ends the writing
	written func() int
}

// grow writes numbered lines until it is stopped.
func grow(t *testing.T) *growing {
	t.Helper()
	folder, err := os.MkdirTemp("", "muster-log-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil { // whoever is logged in as reads it
		t.Fatal(err)
	}
	g := &growing{path: filepath.Join(folder, "app.log")}
	ctx, cancel := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	var mu sync.Mutex
	lines := 0
	var failed error
	writing.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var file io.WriteCloser
		for n := 1; ctx.Err() == nil && failed == nil; n++ {
			if n%1000 == 1 { // a rotation, as logrotate does it with "create"
				file, failed = g.rotate(n/1000, file)
			}
			if failed == nil {
				_, failed = fmt.Fprintf(file, "line number %d\n", n)
			}
			mu.Lock()
			lines = n
			mu.Unlock()
			<-tick.C
		}
		if file != nil {
			_ = file.Close()
		}
	})
	g.stop = func() (int, error) {
		cancel()
		writing.Wait()
		return lines, failed
	}
	t.Cleanup(func() { _, _ = g.stop() })
	g.written = func() int {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
	return g
}

// rotate gives the file that was written another name, if there is one, and begins another.
func (g *growing) rotate(times int, file io.Closer) (io.WriteCloser, error) {
	if file != nil {
		if err := file.Close(); err != nil {
			return nil, err
		}
		for n := times; n > 0; n-- {
			from := g.path
			if n > 1 {
				from += fmt.Sprint(".", n-1)
			}
			if err := os.Rename(from, g.path+fmt.Sprint(".", n)); err != nil {
				return nil, err
			}
		}
	}
	return os.OpenFile(g.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
}

// fragile is a server whose data directory is destroyed now and then. Its host, its database and all between are real.
type fragile struct {
	t      *testing.T
	config *config.Config
	log    *journalBook
	swept  chan struct{} // gets a token at the end of each sweep
	serves *Controller
	stop   func()
}

func (f *fragile) SweepStarted(context.Context, visit.Sweep) {}
func (f *fragile) Visited(_ context.Context, v *visit.Visit) {
	if v.Failure != nil && !saysNothing(v) {
		f.t.Errorf("a visit failed: %v", v.Failure)
	}
}

func (f *fragile) SweepEnded(context.Context, visit.Sweep) error {
	select {
	case f.swept <- struct{}{}:
	default:
	}
	return nil
}

func newFragile(t *testing.T, database *testserver.Database, log string) *fragile {
	t.Helper()
	host := testserver.SSHD(t, testserver.SSHDOptions{})
	host.NeedPassword(t)                       // elsewhere it has the home of whoever runs the test
	folder, err := os.MkdirTemp("", "muster-") // whose path leaves room for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("password", database.Password)
	c, err := config.Load(write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
<server data="data"/><database url="%s" password="file:password"/>
<group name="g" user="%s" key="%s" known-hosts="%s"><logs channel="file:%s" since="all"/><host name="h" address="%s" port="%d"/></group>
</muster>`, database.URL, host.User, host.KeyFile, host.KnownHosts, log, host.Address, host.Port)))
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Interval = 300 * time.Millisecond
	return &fragile{t: t, config: c, log: &journalBook{t: t, changed: make(chan struct{})}, swept: make(chan struct{}, 1)}
}

// start starts a server.
func (f *fragile) start() {
	f.t.Helper()
	c, err := New(f.t.Context(), Options{
		Config: f.config, Clients: deploytest.Clients(f.t), Observers: []visit.Observer{f}, Now: time.Now, Version: "test",
		Logger: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := c.Serve(ctx); err != nil {
			f.t.Errorf("Serve: %v", err)
		}
	})
	f.serves = c
	f.stop = sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		if err := c.Close(); err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(f.stop)
}

// lose stops the server and destroys its data directory.
func (f *fragile) lose() {
	f.t.Helper()
	f.stop()
	if err := os.RemoveAll(f.config.Server.Data); err != nil {
		f.t.Fatal(err)
	}
}

// until returns when a condition holds at the end of a sweep.
func (f *fragile) until(condition func() bool) {
	f.t.Helper()
	for range 2 { // one that began before the call says nothing
		<-f.swept
	}
	for !condition() {
		select {
		case <-f.swept:
		case <-f.t.Context().Done():
			f.t.Fatal("the time is over")
		}
	}
}

func (f *fragile) facts() health.Facts {
	f.t.Helper()
	facts, err := f.serves.behind.(*pipeline).Facts(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return facts
}

// stored returns how often each line is in the database.
func (f *fragile) stored() map[string]int {
	f.t.Helper()
	database, err := ReadStore(f.t.Context(), f.config.Database, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = database.Close() }()
	lines := make(map[string]int)
	for l, err := range database.Logs(f.t.Context(), store.LogQuery{Gaps: true}) {
		switch {
		case err != nil:
			f.t.Fatal(err)
		case l.Gap != nil:
			f.t.Fatalf("a gap: %+v", l.Gap)
		}
		lines[l.Record.Message]++
	}
	return lines
}

// TestEachLineComesOnceThoughTheDataDirectoryIsLost has a real server visit a real host whose log goes on growing, and store it
// in a real database. The data directory is destroyed: once at rest, once with records in the queue that were never stored,
// after which the database stays away for a while.
func TestEachLineComesOnceThoughTheDataDirectoryIsLost(t *testing.T) {
	database := testserver.MariaDB(t)
	log := grow(t)
	f := newFragile(t, database, log.path)
	more := func(n int) { // lines are stored
		t.Helper()
		before := log.written()
		f.until(func() bool { return len(f.stored()) > before+n })
	}
	f.start()
	f.log.wait("database is available")
	more(200)
	f.lose()
	f.start()
	f.log.wait("where the reading of logs stands that the data directory does not know")
	more(200)

	database.Stop(t)
	read := f.facts().Logs.Records
	f.until(func() bool { return f.facts().Logs.Records > read+200 })
	f.lose() // what was read since is in the queue, and nowhere else
	f.start()
	for range 3 {
		f.until(func() bool { return f.facts().Logs.Waiting == 1 && f.facts().Logs.Records == 0 })
	}
	if reason := f.facts().Logs.Reason; reason == "" {
		t.Error("it is not said why logs are not read")
	}
	database.Start(t)
	more(200)
	lines, err := log.stop()
	if err != nil {
		t.Fatal(err)
	}
	f.until(func() bool { return len(f.stored()) >= lines })
	f.stop()
	stored := f.stored()
	for n := range lines {
		line := fmt.Sprintf("line number %d", n+1)
		if times := stored[line]; times != 1 {
			t.Fatalf("%q is stored %d times", line, times)
		}
	}
	if len(stored) != lines {
		t.Errorf("%d lines are stored, want %d", len(stored), lines)
	}
	t.Logf("%d lines", lines)
}
