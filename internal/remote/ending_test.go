package remote_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// A command that prints without end is ended, and keeps nobody busy until its deadline.
func TestOutputWithoutEnd(t *testing.T) {
	noLeak(t)
	for _, to := range []func(*sshtest.Session) io.Writer{
		func(s *sshtest.Session) io.Writer { return s.Stdout }, func(s *sshtest.Session) io.Writer { return s.Stderr },
	} {
		server := newServer(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			for {
				if _, err := to(s).Write(make([]byte, 100_000)); err != nil {
					return sshtest.Exit{}
				}
			}
		}})
		_, err := dial(t, options(t, server)).Output(within(t), "flood", nil)
		want{kind: failure.Noise, says: []string{"8 MiB"}, advice: []string{"by hand"}}.check(t, err)
		closed(t, server)
	}
}

func TestCrash(t *testing.T) {
	for status, want := range map[int]string{
		0: "", 1: "", 127: "", 128: "", 137: "signal 9", 192: "signal 64", 193: "", 255: "", 0xC0000005: "0xc0000005", 0x80000003: "",
	} {
		if got := remote.Crash(status); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%#x: got %q, want %q", status, got, want)
		}
	}
}

// A lost connection is not the end of what the command had to say.
func TestReadFromAConnectionThatIsLost(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{Exec: func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		_, _ = io.WriteString(s.Stdout, "half")
		_ = s.Conn.Close()
		return sshtest.Hang(ctx, s)
	}})
	process, err := dial(t, options(t, server)).Start(within(t), "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(process.Stdout)
	want{kind: failure.Disconnected}.check(t, err)
	if errors.Is(err, io.EOF) {
		t.Errorf("%v looks like the end of the output", err)
	}
	_, _ = process.Wait()
}
