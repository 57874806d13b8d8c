package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// Following shows what is there, then what comes, each once, and ends well.
func TestLogsFollow(t *testing.T) {
	p := newLogsPlace(t)
	p.fill(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		n := 1
		err := logsCommand{configFlag: configFlag{p.config}, Follow: true, Lines: &n}.Run(ctx, Env{Stdout: w, Stderr: io.Discard})
		w.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(r)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Fatalf("%q, want %q", lines.Text(), want)
		}
	}
	next("of a host that was removed")
	next("records 5 to 9")
	for i := range 3 {
		// Older than what was shown, as from a host that was away: it is new here all the same.
		p.save(t, "web1", report.Logs{Channel: "Application", Epoch: int64(i + 1), Records: []report.Record{
			{ID: 1, Time: p.now.Add(-time.Duration(i) * time.Hour), Event: 9, Source: "x", Message: fmt.Sprint("new ", i)}}})
		next(fmt.Sprint("new ", i))
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("following ended with %v", err)
	}
	if lines.Scan() {
		t.Errorf("one more: %s", lines.Text())
	}
}

// Following a database that has nothing yet begins with the first record.
func TestLogsFollowFromNothing(t *testing.T) {
	p := newLogsPlace(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := logsCommand{configFlag: configFlag{p.config}, Follow: true, JSON: true}.Run(ctx, Env{Stdout: w, Stderr: io.Discard})
		w.Close()
		ended <- err
	}()
	p.fill(t)
	lines := bufio.NewScanner(r)
	for range 8 {
		if !lines.Scan() {
			t.Fatal("the lines have an end")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
