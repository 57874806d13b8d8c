package client_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"muster/internal/client"
	"muster/internal/client/logs"
	"muster/internal/client/stats"
	"muster/internal/report"
	"muster/internal/seal"
)

func newRequest() *report.Request {
	r := &report.Request{Visit: "visit-1", Host: "web-1"}
	copy(r.Key[:], "a key of thirty-two bytes, no more")
	copy(r.Nonce[:], "twelve bytes")
	return r
}

// pass is a pass with everything around it: what the server would hold in its hands.
type pass struct {
	request *report.Request
	sources []stats.Source
	logs    []logs.Source
	version string
	folder  string
	stdout  io.Writer // instead of out

	server *io.PipeWriter // standard input: the server's end
	out    bytes.Buffer
	log    bytes.Buffer
}

// start runs the pass; the result comes on the channel. The server has sent its request and keeps standard input open.
func (p *pass) start(t *testing.T, ctx context.Context) <-chan error {
	t.Helper()
	input, server := io.Pipe()
	p.server = server
	t.Cleanup(func() { server.Close() })
	if p.stdout == nil {
		p.stdout = &p.out
	}
	if p.version == "" {
		p.version = "1.2.3"
	}
	ended := make(chan error, 1)
	go func() {
		ended <- client.Run(ctx, client.Options{
			Stdin: input, Stdout: p.stdout, Log: slog.New(slog.NewTextHandler(&p.log, nil)),
			Version: p.version, Directory: p.folder, Sources: p.sources, Logs: p.logs,
		})
	}()
	if p.request != nil {
		line, err := p.request.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := server.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	return ended
}

// run runs the pass to its end and returns the report.
func (p *pass) run(t *testing.T) *report.Report {
	t.Helper()
	if err := <-p.start(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	return p.report(t)
}

// report opens what came on standard output.
func (p *pass) report(t *testing.T) *report.Report {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(p.out.Bytes()))
	frame, err := report.ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := frame.ReadBody(r)
	if err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); strings.TrimSpace(string(rest)) != "" {
		t.Errorf("after the frame came %q", rest)
	}
	return open(t, p.request, sealed)
}

func open(t *testing.T, request *report.Request, sealed []byte) *report.Report {
	t.Helper()
	to := seal.Binding{Host: request.Host, Visit: request.Visit, Part: uint32(request.Part)}
	document, err := seal.Open(request.Key, request.Nonce, to, sealed, report.MaxDocument)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func gives(name string, statistics ...report.Statistic) stats.Source {
	return stats.Source{Name: name, Read: func(context.Context) ([]report.Statistic, error) {
		return slices.Clone(statistics), nil
	}}
}

func fails(name string, errs ...error) stats.Source {
	return stats.Source{Name: name, Read: func(context.Context) ([]report.Statistic, error) {
		return nil, errors.Join(errs...)
	}}
}

// hangs is a source that is stuck in the kernel: no context ends it. It is released when the test has ended.
func hangs(t *testing.T, name string) stats.Source {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	return stats.Source{Name: name, Read: func(context.Context) ([]report.Statistic, error) {
		<-release
		return nil, nil
	}}
}

func load(value float64) report.Statistic {
	return report.Statistic{Name: "load.1", Unit: "1", Kind: report.Gauge, Value: value}
}

func failuresOf(r *report.Report) string {
	var all []string
	for _, f := range r.Failures {
		all = append(all, f.Source+": "+f.Reason)
	}
	return strings.Join(all, "\n")
}
