package controller

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/deploy/deploytest"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/testserver"
	"muster/internal/visit"
)

const (
	// millionLines are written at a pace at which they last for about as long as they take to be read.
	millionLines = 1_000_000
	millionBurst = 1000
	millionTick  = 40 * time.Millisecond
	// millionFile is after how many lines a file is rotated: a few seconds' worth.
	millionFile = 45_000
)

// TestAMillionLines has the server visit a host with OpenSSH's sshd, on which a daemon writes to a file and never stops,
// while the file is rotated and the rotated ones compressed. Every line must be in the database, once.
func TestAMillionLines(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	// Not t.TempDir: the host's user must be able to read the files.
	folder, err := os.MkdirTemp("", "muster-million-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "auth.log")

	r := newRig(t)
	r.config.Server.Interval = 10 * time.Second
	r.config.Server.Parallel = 8
	second := 20 * time.Second
	r.config.Hosts = []config.Host{{
		Name: "web1", Address: sshd.Address, Port: sshd.Port, User: sshd.User, Keys: []string{sshd.KeyFile},
		Authentication: []string{"publickey"}, KnownHosts: []string{sshd.KnownHosts}, HostKeys: "strict", Transfer: "stdout",
		Timeouts: config.Timeouts{Dial: second, Handshake: second, Authentication: second, Platform: second, Deploy: second,
			Run: second, Receive: second, Visit: time.Minute},
		Logs: []config.Logs{{Channel: report.FileChannel + path, Raw: true, Since: report.SinceAll}},
	}}
	c, err := New(t.Context(), Options{
		Config: r.config, Logger: slog.New(slog.NewTextHandler(r.log, nil)), Clients: deploytest.Clients(t),
		Observers: []visit.Observer{r}, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close(c)

	began := time.Now()
	daemon := &loggingDaemon{path: path}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { daemon.run(ctx) })
	running.Go(func() {
		if err := c.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	r.awaitLines(daemon)
	took := time.Since(began)
	stop()
	running.Wait()
	if daemon.err != nil {
		t.Fatal(daemon.err)
	}
	t.Logf("%d lines in %d files, written in %v, were in the database after %v", millionLines, daemon.files,
		daemon.took.Round(time.Second), took.Round(time.Second))
	r.wantLinesOnce(daemon)
	if t.Failed() {
		t.Log(r.log.text.String())
	}
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
func (r *rig) awaitLines(daemon *loggingDaemon) {
	r.t.Helper()
	const patience = 4 // sweeps without a line
	last, idle := -1, 0
	for idle < patience {
		select {
		case <-r.ended:
		case <-r.t.Context().Done():
			r.t.Fatal("the time is over")
		}
		count := r.query("SELECT last FROM log_sequence WHERE id = 1")
		if count >= millionLines {
			return
		}
		if count != last || !daemon.ended() {
			last, idle = count, 0
			continue
		}
		idle++
	}
	r.t.Errorf("%d lines came, and then no more", last)
}

// wantLinesOnce compares what is in the database with what was written.
func (r *rig) wantLinesOnce(daemon *loggingDaemon) {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), store.Options{URL: r.config.Database.URL})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	seen := make([]bool, millionLines)
	epochs := make(map[int64]bool)
	for l, err := range s.Logs(r.t.Context(), store.LogQuery{Raw: true, Gaps: true}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if l.Gap != nil {
			r.t.Fatalf("a gap: %+v", l.Gap)
		}
		_, rest, _ := strings.Cut(l.Record.Raw, "user u")
		number, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil || n >= millionLines || l.Record.Raw != millionLine(n) {
			r.t.Fatalf("it was never written: %q", l.Record.Raw)
		}
		if seen[n] {
			r.t.Fatalf("line %d is there twice, the second time as record %d of epoch %d", n, l.Record.ID, l.Epoch)
		}
		if l.Record.Source != "sshd" || l.Record.Computer != "web1" || l.Record.Process != int64(1000+n%30_000) {
			r.t.Fatalf("line %d is stored as %+v", n, l.Record)
		}
		seen[n], epochs[l.Epoch] = true, true
	}
	for n, there := range seen {
		if !there {
			r.t.Fatalf("line %d is missing", n)
		}
	}
	if len(epochs) != daemon.files {
		r.t.Errorf("%d epochs of %d files", len(epochs), daemon.files)
	}
}
