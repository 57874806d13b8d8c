package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/client/stats"
	"muster/internal/report"
)

func TestTheReportOfThisMachine(t *testing.T) {
	began := time.Now().Add(-time.Second)
	p := &pass{request: newRequest(), sources: stats.Sources()}
	r := p.run(t)
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if r.Visit != "visit-1" || r.Host != "web-1" || r.Client != "1.2.3" || r.OS != runtime.GOOS ||
		r.Arch != runtime.GOARCH || r.Hostname != hostname || r.Time.Before(began) || r.Time.After(time.Now()) {
		t.Errorf("the head of the report is wrong: %+v", r)
	}
	if len(r.Statistics) < 20 || len(r.Failures) > 0 {
		t.Errorf("%d statistics, failures: %s", len(r.Statistics), failuresOf(r))
	}
	if log := p.log.String(); !strings.Contains(log, "report delivered") || strings.Count(log, "\n") != 1 {
		t.Errorf("the log is %q", log)
	}
}

func TestEachFailureStandsBesideTheOthers(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{
		gives("load", load(1.5)),
		fails("memory", errors.New("no such file")),
		{Name: "disk", Read: func(context.Context) ([]report.Statistic, error) {
			full := report.Statistic{Name: "disk.usage", Instance: "/", Unit: "%", Kind: report.Gauge, Value: 90}
			return []report.Statistic{full}, errors.Join(errors.New("/a: dead"), errors.Join(nil, errors.New("/b: dead")))
		}},
		{Name: "swap", Read: func(context.Context) ([]report.Statistic, error) { panic("out of luck") }},
	}}
	r := p.run(t)
	if len(r.Statistics) != 2 || r.Statistics[0] != load(1.5) || r.Statistics[1].Value != 90 {
		t.Errorf("got %+v", r.Statistics)
	}
	want := "memory: no such file\ndisk: /a: dead\ndisk: /b: dead\nswap: panic: out of luck"
	if got := failuresOf(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if log := p.log.String(); strings.Count(log, "source failed") != 4 {
		t.Errorf("the log is %q", log)
	}
}

func TestWhatCannotBeSentIsLeftOutAndSaid(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{
		gives("load", load(1), load(2), report.Statistic{Name: "load.5", Unit: "1", Kind: report.Gauge, Value: -1}),
		gives("net", report.Statistic{Name: "Bad Name", Unit: "1", Kind: report.Gauge}),
	}}
	r := p.run(t)
	if len(r.Statistics) != 2 || r.Statistics[0] != load(1) || !strings.Contains(failuresOf(r), "report: 2 statistics") {
		t.Errorf("got %+v and %s", r.Statistics, failuresOf(r))
	}
}

// The largest report that statistics allow is beyond the largest document: it is cut, not lost.
func TestAReportThatIsTooLargeIsCut(t *testing.T) {
	many := make([]report.Statistic, report.MaxStatistics)
	for i := range many {
		instance := fmt.Sprintf("/%d/%s", i, strings.Repeat("long", 50))
		many[i] = report.Statistic{Name: "disk.usage", Instance: instance, Unit: "%", Kind: report.Gauge, Value: 1}
	}
	p := &pass{request: newRequest(), sources: []stats.Source{gives("disk", many...)}}
	r := p.run(t)
	kept := len(r.Statistics)
	want := fmt.Sprintf("report: it was too large: %d of %d statistics were left out", len(many)-kept, len(many))
	if got := failuresOf(r); kept < len(many)/2 || got != want {
		t.Errorf("%d are kept; got %q, want %q", kept, got, want)
	}
}

func TestOnlyTheSourcesAskedForAreRead(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{
		gives("load", load(1)), fails("memory", errors.New("not asked for")), gives("uptime"),
	}}
	p.request.Sources = []string{"uptime", "teapot", "load", "teapot"}
	r := p.run(t)
	want := "teapot: there is no such source on " + runtime.GOOS + "; there are load, memory, uptime"
	if len(r.Statistics) != 1 || failuresOf(r) != want {
		t.Errorf("got %+v and %s", r.Statistics, failuresOf(r))
	}
}

func TestBadRequests(t *testing.T) {
	good, err := newRequest().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, input := range map[string]string{
		"nothing":    "",
		"no line":    string(good),
		"no base64":  "GET / HTTP/1.1\r\n",
		"an empty":   "\n",
		"cut":        string(good[:len(good)/2]) + "\n",
		"too large":  strings.Repeat("A", 1<<20) + "\n",
		"binary":     "\x00\xff\xfe\n",
		"wrong root": "PHJlcG9ydC8+\n",
	} {
		var out, log bytes.Buffer
		err := client.Run(t.Context(), client.Options{
			Stdin: strings.NewReader(input), Stdout: &out, Log: slog.New(slog.NewTextHandler(&log, nil)), Version: "1",
		})
		if !errors.Is(err, client.ErrRequest) || out.Len() > 0 {
			t.Errorf("%s: got %v and wrote %q", name, err, out.String())
		}
	}
}

// The key is nowhere but in the request: not in the log, not in an error.
func TestTheKeyIsNotTold(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{fails("disk", errors.New("dead"))}, stdout: broken{}}
	err := <-p.start(t, t.Context())
	for _, secret := range []string{
		"a key of", "twelve bytes", fmt.Sprintf("%x", p.request.Key), fmt.Sprintf("%x", p.request.Nonce),
	} {
		if strings.Contains(p.log.String()+err.Error(), secret) {
			t.Errorf("%q is in the log or the error", secret)
		}
	}
}

// However many sources fail, the log stays far below what a pipe holds unread.
func TestTheLogIsShort(t *testing.T) {
	errs := make([]error, 5000)
	for i := range errs {
		errs[i] = errors.New(strings.Repeat("x\n", 500))
	}
	p := &pass{request: newRequest(), sources: []stats.Source{fails("disk", errs...)}}
	r := p.run(t)
	if len(r.Failures) != report.MaxFailures-1 && len(r.Failures) != report.MaxFailures || p.log.Len() > 16<<10 {
		t.Errorf("%d failures, %d bytes of log", len(r.Failures), p.log.Len())
	}
}

func BenchmarkCollect(b *testing.B) {
	line, err := newRequest().Encode()
	if err != nil {
		b.Fatal(err)
	}
	input := string(line) + "\n"
	b.ReportAllocs()
	for b.Loop() {
		stdin, server := io.Pipe()
		go io.WriteString(server, input)
		err := client.Run(context.Background(), client.Options{
			Stdin: stdin, Stdout: io.Discard, Log: slog.New(slog.DiscardHandler), Version: "1", Sources: stats.Sources(),
		})
		server.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}
