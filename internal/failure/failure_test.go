package failure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"muster/internal/failure"
)

func TestKinds(t *testing.T) {
	source, err := os.ReadFile("failure.go")
	if err != nil {
		t.Fatal(err)
	}
	if declared := strings.Count(string(source), " Kind = \""); declared != len(failure.Kinds()) {
		t.Errorf("%d kinds are declared, and Kinds has %d", declared, len(failure.Kinds()))
	}
	seen := make(map[string]failure.Kind)
	for _, kind := range failure.Kinds() {
		if kind != failure.Kind(strings.ToLower(string(kind))) || strings.ContainsAny(string(kind), " _") {
			t.Errorf("%q is not written as the others", kind)
		}
		advice := kind.Advice()
		if other, ok := seen[advice]; ok {
			t.Errorf("%s and %s have the same advice: %s", kind, other, advice)
		}
		seen[advice] = kind
		if len(advice) < 20 || strings.HasSuffix(advice, ".") || strings.Contains(advice, "\n") {
			t.Errorf("%s: %q is no advice", kind, advice)
		}
	}
	if got := failure.Kind("what").Advice(); got != failure.Internal.Advice() {
		t.Errorf("an unknown kind has the advice %q", got)
	}
}

func TestStagesAreInTheOrderOfAVisit(t *testing.T) {
	got := fmt.Sprint(failure.Stages())
	if want := "[dial handshake authentication platform deploy run receive open decode]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("no route")
	for want, e := range map[string]*failure.Error{
		"web1: dial: no route": {Host: "web1", Stage: failure.Dial, Err: cause},
		"dial: no route":       {Stage: failure.Dial, Err: cause},
		"web1: no route":       {Host: "web1", Err: cause},
		"no route":             {Err: cause},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if !errors.Is(e, cause) {
			t.Errorf("%q is not its cause", e)
		}
	}
}

func TestHelp(t *testing.T) {
	e := failure.New(failure.Dial, failure.Refused, errors.New("x"))
	if got := e.Help(); got != failure.Refused.Advice() {
		t.Errorf("got %q", got)
	}
	late := failure.New(failure.Run, failure.Timeout, errors.New("x"))
	if got := late.Help(); got != failure.Run.Slow() || got == failure.Timeout.Advice() {
		t.Errorf("a slow client: got %q", got)
	}
	e.Advice = "start it"
	if got := e.Help(); got != "start it" {
		t.Errorf("got %q", got)
	}
}

func TestFrom(t *testing.T) {
	if failure.From(failure.Run, nil) != nil {
		t.Error("nothing is a failure")
	}
	placed := &failure.Error{Host: "web1", Stage: failure.Dial, Kind: failure.Refused, Err: io.EOF}
	if got := failure.From(failure.Run, fmt.Errorf("visit: %w", placed)); got != placed {
		t.Errorf("a failure with a stage became %v", got)
	}

	unplaced := &failure.Error{Kind: failure.DiskFull, Advice: "buy one", Err: io.ErrShortWrite}
	for _, c := range []struct {
		err  error
		text string
	}{
		{unplaced, "deploy: short write"},
		{fmt.Errorf("upload: %w", unplaced), "deploy: upload: short write"},
	} {
		got := failure.From(failure.Deploy, c.err)
		if got.Error() != c.text || got.Kind != failure.DiskFull || got.Help() != "buy one" || !errors.Is(got, io.ErrShortWrite) {
			t.Errorf("got %+v", got)
		}
	}
	if unplaced.Stage != "" {
		t.Error("the failure itself was changed")
	}

	got := failure.From(failure.Receive, context.DeadlineExceeded)
	if got.Stage != failure.Receive || got.Kind != failure.Timeout {
		t.Errorf("got %+v", got)
	}
}

// slow is a network's timeout.
type slow struct{ error }

func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return true }

func TestClassify(t *testing.T) {
	wrap := func(err error) error {
		return fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	for _, c := range []struct {
		name string
		err  error
		want failure.Kind
	}{
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), failure.Timeout},
		{"deadline of a connection", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, failure.Timeout},
		{"timeout of the network", fmt.Errorf("x: %w", slow{errors.New("slow")}), failure.Timeout},
		{"no answer of the name server", &net.DNSError{IsTimeout: true}, failure.Timeout},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), failure.Cancelled},
		{"no such name", &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, failure.NoSuchHost},
		{"refused", wrap(errRefused), failure.Refused},
		{"no route", wrap(errNoRoute), failure.Unreachable},
		{"end", io.EOF, failure.Disconnected},
		{"anything", errors.New("x"), failure.Disconnected},
	} {
		if got := failure.Classify(c.err); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestIsInterruption(t *testing.T) {
	want := []failure.Kind{failure.Timeout, failure.Disconnected, failure.Cancelled, failure.JumpFailed}
	for _, kind := range failure.Kinds() {
		if got := kind.IsInterruption(); got != slices.Contains(want, kind) {
			t.Errorf("%s: got %v", kind, got)
		}
	}
}

// TestClassifyAClosedPort has the operating system say it.
func TestClassifyAClosedPort(t *testing.T) {
	conn, err := net.Dial("tcp", "127.0.0.1:1") // nobody's: a port that was ours a moment ago may be anybody's
	if err == nil {
		conn.Close()
		t.Fatal("the port is open")
	}
	if got := failure.Classify(err); got != failure.Refused {
		t.Errorf("got %s", got)
	}
}
