package visit_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/seal"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// saying is a client that reads its request and then says something in place of a report.
func saying(stdout, stderr string, end sshtest.Exit) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		if _, err := report.ReadRequest(bufio.NewReader(s.Stdin)); err != nil {
			return exit(s, err)
		}
		_, _ = io.WriteString(s.Stdout, stdout)
		_, _ = io.WriteString(s.Stderr, stderr)
		return end
	}
}

// sending is a client that makes a good report and sends what change makes of the frame.
func sending(change func(frame string) string) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		_, sealed, err := answer(s.Stdin, nil)
		if err != nil {
			return exit(s, err)
		}
		var frame strings.Builder
		if err := report.WriteFrame(&frame, sealed); err != nil {
			return exit(s, err)
		}
		_, err = io.WriteString(s.Stdout, change(frame.String()))
		return exit(s, err)
	}
}

// sealing is a client that seals what it is given, bound to what it is given.
func sealing(document []byte, binding func(*report.Request) seal.Binding) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		request, err := report.ReadRequest(bufio.NewReader(s.Stdin))
		if err != nil {
			return exit(s, err)
		}
		sealed, err := seal.Seal(request.Key, request.Nonce, binding(request), document)
		if err == nil {
			err = report.WriteFrame(s.Stdout, sealed)
		}
		return exit(s, err)
	}
}

func asAsked(r *report.Request) seal.Binding {
	return seal.Binding{Host: r.Host, Visit: r.Visit, Part: uint32(r.Part)}
}

// framed returns the frame of something that is no envelope.
func framed(sealed string) string {
	var b strings.Builder
	_ = report.WriteFrame(&b, []byte(sealed))
	return b.String()
}

func TestWhatAClientDoesWrong(t *testing.T) {
	for name, test := range map[string]struct {
		client sshtest.Handler
		stage  failure.Stage
		kind   failure.Kind
		words  []string
	}{
		"it fails": {
			saying("", "first\nsecond\nthird\nno \x1b[31mmemory\n", sshtest.Exit{Status: 3}),
			failure.Run, failure.ClientFailed, []string{"exit status 3", `second / third / no \x1b[31mmemory`},
		},
		"it crashes": {
			saying("", "panic: oh\n", sshtest.Exit{Signal: "SEGV"}),
			failure.Run, failure.ClientCrashed, []string{"SEGV", "panic: oh"},
		},
		"it is killed, and a shell says so": {
			saying("", "Killed\n", sshtest.Exit{Status: 137}),
			failure.Run, failure.ClientCrashed, []string{"signal 9", "want of memory"},
		},
		"it breaks down on Windows": {
			saying("", "", sshtest.Exit{Status: 0xC0000005}), failure.Run, failure.ClientCrashed, []string{"0xc0000005"},
		},
		"it panics": {
			saying("", "panic: oh\n\ngoroutine 1 [running]:\nmain.main()\n", sshtest.Exit{Status: 2}),
			failure.Run, failure.ClientCrashed, []string{"broke down without a report: panic: oh", "defect"},
		},
		"it says nothing": {
			saying("", "", sshtest.Exit{}), failure.Run, failure.ClientFailed, []string{"exit status 0"},
		},
		"it says something else": {
			saying("This account is closed.\n", "", sshtest.Exit{}),
			failure.Run, failure.NoReport, []string{"This account is closed."},
		},
		"it does not stop talking": {
			saying(strings.Repeat("noise\n", 20_000), "", sshtest.Exit{}), failure.Run, failure.Noise, []string{"login script"},
		},
		"its header is no header": {
			saying("MUSTER1 many bytes\n", "", sshtest.Exit{}), failure.Run, failure.ReportAltered, nil,
		},
		"its header announces too much": {
			saying("MUSTER1 99999999 "+strings.Repeat("ab", 32)+"\n", "", sshtest.Exit{}),
			failure.Run, failure.ReportTooLarge, nil,
		},
		"it stops in the middle": {
			sending(func(frame string) string { return frame[:len(frame)-20] }), failure.Receive, failure.ReportCut, nil,
		},
		"its bytes change on the way": {
			sending(func(frame string) string {
				at := len(frame) - 20
				other := byte('A')
				if frame[at] == other {
					other = 'B'
				}
				return frame[:at] + string(other) + frame[at+1:]
			}),
			failure.Receive, failure.ReportAltered, nil,
		},
		"it is no envelope": {
			saying(framed("something else altogether, and long enough"), "", sshtest.Exit{}), failure.Open, failure.ReportInvalid, nil,
		},
		"it is sealed for another visit": {
			sealing([]byte("x"), func(r *report.Request) seal.Binding { return seal.Binding{Host: r.Host, Visit: "other"} }),
			failure.Open, failure.ReportAltered, nil,
		},
		"it is sealed for another host": {
			sealing([]byte("x"), func(r *report.Request) seal.Binding { return seal.Binding{Host: "other", Visit: r.Visit} }),
			failure.Open, failure.ReportAltered, nil,
		},
		"it expands too far": {
			sealing(make([]byte, report.MaxDocument+1), asAsked), failure.Open, failure.ReportTooLarge, nil,
		},
		"it is no XML": {
			sealing([]byte("<report"), asAsked), failure.Decode, failure.ReportInvalid, nil,
		},
		"it says another host": {
			reporting(func(_ *report.Request, r *report.Report) { r.Host = "db1" }),
			failure.Decode, failure.ReportReplayed, []string{"db1"},
		},
		"it says another visit": {
			reporting(func(_ *report.Request, r *report.Report) { r.Visit = "the one before" }),
			failure.Decode, failure.ReportReplayed, []string{"the one before"},
		},
		"it comes in a file unasked": {
			func(_ context.Context, s *sshtest.Session) sshtest.Exit {
				_, sealed, err := answer(s.Stdin, nil)
				if err == nil {
					err = report.WriteFileFrame(s.Stdout, sealed)
				}
				return exit(s, err)
			},
			failure.Receive, failure.ReportInvalid, []string{"was not asked"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			f.becomes(test.client)
			v := f.visitor().Visit(t.Context(), f.host(t), sweep)
			wantFailure(t, v, test.stage, test.kind, test.words...)
			f.wantNothingLeft(t)
		})
	}
}

// A report of an earlier visit, sent again, does not open: the key was that visit's.
func TestReplayedReport(t *testing.T) {
	f := newFake(t, nil)
	var once sync.Once
	var kept string
	f.becomes(sending(func(frame string) string {
		once.Do(func() { kept = frame })
		return kept
	}))
	visitor, host := f.visitor(), f.host(t)
	wantReport(t, visitor.Visit(t.Context(), host, sweep))
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Open, failure.ReportReplayed, "sent again", "forced command")
}

func TestWhatAFileDoesWrong(t *testing.T) {
	// leaving is a client that leaves its report in the file and then does something to it.
	leaving := func(damage func(path string) error) sshtest.Handler {
		return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			request, sealed, err := answer(s.Stdin, nil)
			path := ""
			if err == nil {
				path = filepath.Join(s.Home, ".cache/muster", request.File)
				err = os.WriteFile(path, sealed, 0o600)
			}
			if err == nil {
				err = damage(path)
			}
			if err == nil {
				err = report.WriteFileFrame(s.Stdout, sealed)
			}
			return exit(s, err)
		}
	}
	for name, test := range map[string]struct {
		client sshtest.Handler
		stage  failure.Stage
		kind   failure.Kind
	}{
		"missing": {leaving(os.Remove), failure.Receive, failure.FileFailed},
		"cut":     {leaving(func(path string) error { return os.Truncate(path, 10) }), failure.Receive, failure.ReportCut},
		"longer": {leaving(func(path string) error {
			content, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, append(content, 'x'), 0o600))
		}), failure.Receive, failure.ReportAltered},
		"far too large": {
			leaving(func(path string) error { return os.Truncate(path, 1<<30) }), failure.Receive, failure.ReportTooLarge,
		},
		"the client fails after it": {leaving(func(string) error { return errors.New("no") }), failure.Run, failure.ClientFailed},
		"sent directly":             {sending(func(frame string) string { return frame }), failure.Receive, failure.ReportInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			f.becomes(test.client)
			host := f.host(t)
			host.Transfer = visit.File
			wantFailure(t, f.visitor().Visit(t.Context(), host, sweep), test.stage, test.kind)
			f.wantNothingLeft(t)
		})
	}
}

// A defect of ours costs the visit in which it shows, and not the server.
func TestPanic(t *testing.T) {
	f := newFake(t, nil)
	logger, logged := memoryLog()
	broken := visit.New(visit.Options{Clients: (*deploy.Clients)(nil), Logger: logger})
	v := broken.Visit(t.Context(), f.host(t), sweep)
	wantFailure(t, v, failure.Deploy, failure.Internal, "nil pointer", "defect")
	if !strings.Contains(logged(), "Install") {
		t.Errorf("the stack is not in the log: %s", logged())
	}
	f.wantNothingLeft(t)
}

// Nothing that must stay secret shows in what a host runs, or in what is logged.
func TestSecretsStaySecret(t *testing.T) {
	f := newFake(t, nil)
	var requests []*report.Request
	f.becomes(reporting(func(r *report.Request, _ *report.Report) { requests = append(requests, r) }))
	logger, logged := memoryLog()
	visitor, host := visit.New(visit.Options{Clients: f.clients, Logger: logger}), f.host(t)
	for range 2 {
		wantReport(t, visitor.Visit(t.Context(), host, sweep))
	}
	said := strings.Join(f.ran(), "\n") + logged()
	for _, r := range requests {
		for _, secret := range [][]byte{r.Key[:], r.Nonce[:]} {
			if strings.Contains(said, base64.StdEncoding.EncodeToString(secret)) || strings.Contains(said, string(secret)) {
				t.Error("a key or nonce is in a command or in the log")
			}
		}
	}
	if strings.Contains(said, "secret") {
		t.Error("the password is in a command or in the log")
	}
	if len(requests) != 2 || requests[0].Key == requests[1].Key || requests[0].Nonce == requests[1].Nonce ||
		requests[0].Visit == requests[1].Visit || requests[0].Key == [32]byte{} || requests[0].Nonce == [12]byte{} {
		t.Errorf("the requests share something that is to be fresh: %v", requests)
	}
}
