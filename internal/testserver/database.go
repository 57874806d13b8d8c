package testserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Database is a database server of a test's own. Its user may do everything, so that a program under test can create its
// database. Its methods are for one goroutine at a time.
type Database struct {
	URL      string // of a database "muster", which does not exist yet; without the password
	Password string

	scheme  string
	port    int
	folder  string                  // what belongs to the server and goes away with it
	command func(int) *exec.Cmd     // that runs the server on a port, in the foreground
	ready   func(net.Conn) error    // whether what answers is ready for clients
	end     func(*os.Process) error // asks the server to end

	mu      sync.Mutex
	running *exec.Cmd
	exited  chan struct{} // closed when running has ended
}

const (
	databaseUser     = "muster"
	databasePassword = `p"a's\s/w:o@rd#?` // what breaks where a URL is put together by hand
	databaseStart    = 2 * time.Minute
	databasePoll     = 20 * time.Millisecond
)

// Named returns the URL of another database on the same server, which may not exist yet.
func (d *Database) Named(name string) string {
	return fmt.Sprintf("%s://%s@127.0.0.1:%d/%s", d.scheme, databaseUser, d.port, name)
}

// Address returns where the server listens: host:port.
func (d *Database) Address() string { return fmt.Sprintf("127.0.0.1:%d", d.port) }

// Folder returns the server's own folder.
func (d *Database) Folder() string { return d.folder }

// Stop ends the server, as an outage: clients lose their connections. Start brings it back.
func (d *Database) Stop(t testing.TB) {
	t.Helper()
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
}

// Start starts a server that was stopped, on the same port with the same data, and waits until it takes clients.
func (d *Database) Start(t testing.TB) {
	t.Helper()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
}

// Restart ends the server, if it has not ended yet (because it was killed), and starts it again as Start does. It may be
// called from any goroutine, by one at a time.
func (d *Database) Restart() error {
	if err := d.stop(); err != nil {
		return err
	}
	return d.start()
}

// begin starts the server for the first time, on a port that is free, and has it end with the test.
func (d *Database) begin(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	var err error
	for range 3 { // somebody else than a test may take the port before the server does
		d.port = reservePorts(t, 1)[0]
		if err = d.start(); err == nil {
			d.URL = d.Named("muster")
			return
		}
	}
	t.Fatal(err)
}

func (d *Database) start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(d.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := d.command(d.port)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	d.running, d.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) { // ends with the server; stop waits for it
		defer close(exited)
		_ = cmd.Wait()
	}(d.exited)
	if err := d.await(); err != nil {
		_ = d.halt()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s does not start: %w\n%s", filepath.Base(cmd.Path), err, tail(text))
	}
	return nil
}

func tail(text []byte) []byte { return text[max(0, len(text)-4000):] }

// await polls until the server takes clients, ends, or takes too long: it has no other way to say that it is ready.
func (d *Database) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseStart)
	defer cancel()
	tick := time.NewTicker(databasePoll)
	defer tick.Stop()
	for {
		err := d.probe()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-d.exited:
			return fmt.Errorf("it ended: %s", d.running.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", databaseStart, err)
		}
	}
}

func (d *Database) probe() error {
	conn, err := net.DialTimeout("tcp", d.Address(), time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	return d.ready(conn)
}

func (d *Database) stop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.halt()
}

// halt asks the server to end, insists after a while, and waits until it has. mu is held.
func (d *Database) halt() error {
	if d.running == nil {
		return nil
	}
	cmd, exited := d.running, d.exited
	d.running = nil
	_ = d.end(cmd.Process) // it may have ended already
	patience := time.NewTimer(databaseStart / 2)
	defer patience.Stop()
	select {
	case <-exited:
		return nil
	case <-patience.C:
		_ = cmd.Process.Kill()
		<-exited
		return fmt.Errorf("%s had to be killed", filepath.Base(cmd.Path))
	}
}
