package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/testserver"
)

const (
	// millionLines are written at a pace at which they last for about as long as they take to be read.
	millionLines = 1_000_000
	millionBurst = 1000
	millionTick  = 40 * time.Millisecond
	// millionFile is after how many lines a file is rotated: a few seconds' worth.
	millionFile = 45_000
)

// TestAMillionLines has a server visit a host with OpenSSH's sshd, on which a daemon writes to a file and never stops, while
// the file is rotated. Every line must be in the database, once. The server is the program that people get: with the race
// detector in it a million lines would take half an hour.
func TestAMillionLines(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes two minutes")
	}
	sqlite := testserver.Need(t, "sqlite3", "sqlite3")
	p := newPlace(t)
	p.release()
	path := p.configureMillion()
	command := exec.Command(p.path("muster"), "serve")
	command.Dir, command.Env = p.dir, []string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH")}
	server := startServing(t, command)

	began := time.Now()
	daemon := &loggingDaemon{path: path}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	writing.Go(func() { daemon.run(ctx) })
	p.awaitLines(server, daemon, sqlite)
	took := time.Since(began)
	stop()
	writing.Wait()
	if daemon.err != nil {
		t.Fatal(daemon.err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range server.lines { // until it has ended
	}
	t.Logf("%d lines in %d files, written in %v, were in the database after %v", millionLines, daemon.files,
		daemon.took.Round(time.Second), took.Round(time.Second))
	p.wantLinesOnce(daemon, sqlite)
}

// release builds the program as the Makefile does, beside the configuration.
func (p *place) release() {
	p.t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version=test",
		"-o", p.path("muster"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		p.t.Fatalf("go build: %v\n%s", err, out)
	}
}

// configureMillion starts a host and writes a configuration for it. It returns the path of the log file there.
func (p *place) configureMillion() string {
	p.t.Helper()
	sshd := testserver.SSHD(p.t, testserver.SSHDOptions{})
	// Not t.TempDir: the host's user must be able to read the files.
	folder, err := os.MkdirTemp("", "muster-million-")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(folder, "auth.log")
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data" interval="10s" spread="0s"/>
  <host name="web1" address="%s" port="%d" user="%s" key="%s" known-hosts="%s">
    <logs channel="file:%s" since="all"/>
  </host>
</muster>
`, sshd.Address, sshd.Port, sshd.User, sshd.KeyFile, sshd.KnownHosts, path))
	return path
}

// loggingDaemon writes lines to a file and keeps the file open, as syslog daemons do, until it is told to open it anew.
type loggingDaemon struct {
	path  string
	files int
	took  time.Duration
	err   error

	mu   sync.Mutex
	done bool
}

func millionLine(n int) string {
	return fmt.Sprintf("2026-11-23T17:01:02.%06d+00:00 web1 sshd[%d]: Failed password for invalid user u%d from 203.0.113.%d port %d ssh2",
		n, 1000+n%30_000, n, n%256, 1024+n%60_000)
}

func (d *loggingDaemon) run(ctx context.Context) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.done = true
	}()
	began := time.Now()
	f, err := d.open()
	if err != nil {
		d.err = err
		return
	}
	defer func() { _ = f.Close() }()
	tick := time.NewTicker(millionTick)
	defer tick.Stop()
	for n := 0; n < millionLines; {
		var burst strings.Builder
		for range millionBurst {
			burst.WriteString(millionLine(n) + "\n")
			n++
		}
		// In pieces that end somewhere in a line.
		for text := burst.String(); text != ""; {
			piece := text[:min(4000, len(text))]
			text = text[len(piece):]
			if _, d.err = f.WriteString(piece); d.err != nil {
				return
			}
		}
		if n%millionFile == 0 {
			// The renamed file gets more, as it does from a daemon that is told later.
			if d.err = d.rotate(); d.err != nil {
				return
			}
			if _, d.err = f.WriteString(millionLine(n) + "\n"); d.err != nil {
				return
			}
			n++
			_ = f.Close()
			if f, d.err = d.open(); d.err != nil {
				return
			}
			for ; n%millionBurst != 0 && n < millionLines; n++ {
				if _, d.err = f.WriteString(millionLine(n) + "\n"); d.err != nil {
					return
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.err = ctx.Err()
			return
		}
	}
	d.took = time.Since(began)
}

func (d *loggingDaemon) open() (*os.File, error) {
	d.files++
	return os.OpenFile(d.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// rotate renames the files, the last first.
func (d *loggingDaemon) rotate() error {
	for i := d.files; i > 0; i-- {
		old := d.path
		if i > 1 {
			old += "." + strconv.Itoa(i-1)
		}
		if err := os.Rename(old, d.path+"."+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *loggingDaemon) ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

// awaitLines returns when the database has as many lines as were written, or gets none any more.
func (p *place) awaitLines(server *serving, daemon *loggingDaemon, sqlite string) {
	p.t.Helper()
	const sweeps = 4 // without a line
	last, idle := -1, 0
	for idle < sweeps {
		server.waitFor(p.t, "sweep ended")
		count := -1
		p.query(sqlite, "SELECT last FROM log_sequence WHERE id = 1", func(row string) { count, _ = strconv.Atoi(row) })
		switch {
		case count >= millionLines:
			return
		case count != last || !daemon.ended():
			last, idle = count, 0
		default:
			idle++
		}
	}
	p.t.Errorf("%d lines came, and then no more", last)
}

// query has each told of the rows of a query, their columns joined by "|".
func (p *place) query(sqlite, query string, each func(row string)) {
	p.t.Helper()
	command := exec.Command(sqlite, "-readonly", "-cmd", ".timeout 60000", p.path("data/muster.db"), query)
	out, err := command.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		each(scanner.Text())
	}
	if err := command.Wait(); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

// wantLinesOnce compares what is in the database with what was written.
func (p *place) wantLinesOnce(daemon *loggingDaemon, sqlite string) {
	p.t.Helper()
	p.query(sqlite, "SELECT * FROM log_gaps", func(row string) { p.t.Errorf("a gap: %s", row) })
	seen := make([]bool, millionLines)
	p.query(sqlite, "SELECT source, computer, process, raw FROM logs", func(row string) {
		if p.t.Failed() {
			return // one is enough to look at
		}
		_, rest, _ := strings.Cut(row, "user u")
		number, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil || n >= millionLines || row != fmt.Sprintf("sshd|web1|%d|%s", 1000+n%30_000, millionLine(n)):
			p.t.Errorf("it was never written: %q", row)
		case seen[n]:
			p.t.Errorf("line %d is there twice", n)
		default:
			seen[n] = true
		}
	})
	for n, there := range seen {
		if !there {
			p.t.Fatalf("line %d is missing", n)
		}
	}
	epochs := 0
	p.query(sqlite, "SELECT DISTINCT epoch FROM logs", func(string) { epochs++ })
	if epochs != daemon.files {
		p.t.Errorf("%d epochs of %d files", epochs, daemon.files)
	}
}
