package visit_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// TestStepsOfAVisit has a host that repeats everything that it gets to know: nothing of it is told, and what it says can be
// read.
func TestStepsOfAVisit(t *testing.T) {
	const password = "c4nary-passw0rd"
	var requests []*report.Request
	f := newFake(t, func(o *sshtest.Options) {
		o.Password = password
		o.Configure = func(c *ssh.ServerConfig) {
			c.BannerCallback = func(ssh.ConnMetadata) string { return "\x1b[31m" + password + "\nsecond\u202eline" }
		}
	})
	f.becomes(func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stdout, "noise "+password+"\x07\n")
		_, _ = io.WriteString(s.Stderr, "log "+password+"\u202e\n")
		return reporting(func(r *report.Request, made *report.Report) {
			requests = append(requests, r)
			made.Failures = []report.Failure{{Source: "disk", Reason: "it is " + password}}
		})(ctx, s)
	})
	host := f.host(t)
	host.Password = password
	var steps []visit.Step
	log, logged := memoryLog()
	visitor := visit.New(visit.Options{Clients: f.clients, Logger: log, OnStep: func(s visit.Step) { steps = append(steps, s) }})
	wantReport(t, visitor.Visit(t.Context(), host, sweep))

	var all strings.Builder
	stages := make(map[failure.Stage]bool)
	for i, s := range steps {
		fmt.Fprintf(&all, "%s %s %s\n", s.Stage, s.Event, s.Text)
		stages[s.Stage] = true
		if s.Host != host.Name || s.Event == "" || s.At < 0 || i > 0 && s.At < steps[i-1].At {
			t.Errorf("got %+v", s)
		}
	}
	for _, stage := range failure.Stages() {
		if !stages[stage] {
			t.Errorf("nothing is told of %s", stage)
		}
	}
	text := all.String()
	for _, want := range []string{
		`\x1b[31m(password)` + "\n", `second\u202eline`, "the host is ", "the client was uploaded", "a sealed report of", "the seal is right",
		"holds 1 statistics", "not from disk: it is (password)", `noise (password)\a`, `log (password)\u202e`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the steps do not tell %q", want)
		}
	}
	told := text + logged()
	for _, r := range requests {
		line, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{
			password, string(r.Key[:]), string(r.Nonce[:]), base64.StdEncoding.EncodeToString(r.Key[:]), hex.EncodeToString(r.Key[:]),
			base64.StdEncoding.EncodeToString(r.Nonce[:]), hex.EncodeToString(r.Nonce[:]), string(line),
		} {
			if strings.Contains(told, secret) {
				t.Errorf("a secret is told: %q", secret)
			}
		}
	}
	if strings.ContainsAny(told, "\x1b\x07\u202e") {
		t.Error("control characters are told as they came")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// A step is bounded, whatever the host says in it.
func TestStepsAreBounded(t *testing.T) {
	f := newFake(t, func(o *sshtest.Options) {
		o.Exec = func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			_, _ = io.WriteString(s.Stdout, strings.Repeat("x", 3000)+strings.Repeat("\nline", 10_000))
			return sshtest.Exit{Status: 1}
		}
	})
	longest := 0
	visitor := visit.New(visit.Options{Clients: f.clients, OnStep: func(s visit.Step) { longest = max(longest, len(s.Text)) }})
	wantFailure(t, visitor.Visit(t.Context(), f.host(t), sweep), failure.Platform, failure.NoShell)
	if longest == 0 || longest > 10_000 {
		t.Errorf("a step has %d bytes", longest)
	}
}
