package visit_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
	"muster/internal/seal"
	"muster/internal/sshtest"
	"muster/internal/testserver"
	"muster/internal/visit"
)

var sweep = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const version = "1.0-script"

// fake is a host whose client is a handler in the test. What deploys a client works for real, with a script for a client.
type fake struct {
	*sshtest.Server
	home    string
	clients *deploy.Clients

	mu       sync.Mutex
	client   func(ctx context.Context, s *sshtest.Session) sshtest.Exit // runs in the client's place; nil: the script does
	commands []string                                                   // that were run
}

func newFake(t testing.TB, change func(*sshtest.Options)) *fake {
	t.Helper()
	f := &fake{home: t.TempDir()}
	f.clients = deploytest.Set(t, version, map[deploy.Platform]string{deploytest.Native(): "#!/bin/sh\necho " + version + "\n"})
	options := sshtest.Options{Home: f.home, Password: "secret", Exec: f.exec}
	if change != nil {
		change(&options)
	}
	server, err := sshtest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = server
	t.Cleanup(func() { _ = server.Close() })
	return f
}

func (f *fake) exec(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	f.mu.Lock()
	f.commands = append(f.commands, s.Command)
	client := f.client
	f.mu.Unlock()
	if client != nil && isClient(s.Command) {
		return client(ctx, s)
	}
	return sshtest.Shell(ctx, s)
}

func isClient(command string) bool {
	name := filepath.Base(command)
	return strings.HasPrefix(name, "muster-client-") && !strings.Contains(name, " ")
}

// becomes sets what runs in the client's place.
func (f *fake) becomes(client sshtest.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client = client
}

// ran returns the commands since the last call.
func (f *fake) ran() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ran := f.commands
	f.commands = nil
	return ran
}

// host returns the host as a configuration would, with deadlines that no test should reach.
func (f *fake) host(t testing.TB) visit.Host {
	t.Helper()
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(f.KnownHostsLine()), 0o600); err != nil {
		t.Fatal(err)
	}
	return visit.Host{
		Name: "web1", Address: "127.0.0.1", Port: f.Addr().Port, User: "u", Password: "secret",
		HostKeys: loadHostKeys(t, known), Transfer: visit.Stdout, Deadlines: generous(),
	}
}

func loadHostKeys(t testing.TB, path string) *remote.HostKeys {
	t.Helper()
	keys, err := remote.LoadHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func generous() visit.Deadlines {
	const d = time.Minute
	return visit.Deadlines{
		Dial: d, Handshake: d, Authentication: d, Platform: d, Deploy: d, Run: d, Receive: d, Visit: 2 * d,
	}
}

func sshdHost(t *testing.T, s *testserver.Sshd) visit.Host {
	t.Helper()
	s.NeedPassword(t) // elsewhere it has the home of whoever runs the test
	key, err := remote.LoadKey(s.KeyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	return visit.Host{
		Name: "real", Address: s.Address, Port: s.Port, User: s.User, Signers: []ssh.Signer{key},
		HostKeys: loadHostKeys(t, s.KnownHosts), Transfer: visit.Stdout, Deadlines: generous(),
	}
}

func (f *fake) visitor() *visit.Visitor { return visit.New(visit.Options{Clients: f.clients}) }

// reporting is a client that answers as it should. change, which may be nil, sees the report before it is sealed.
func reporting(change func(*report.Request, *report.Report)) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		request, sealed, err := answer(s.Stdin, change)
		if err == nil && request.File != "" {
			path := filepath.Join(s.Home, ".cache/muster", request.File)
			if err = os.WriteFile(path, sealed, 0o600); err == nil {
				err = report.WriteFileFrame(s.Stdout, sealed)
			}
		} else if err == nil {
			err = report.WriteFrame(s.Stdout, sealed)
		}
		return exit(s, err)
	}
}

// counted returns a handler that notes each command before it is run.
func counted(commands *[]string, run sshtest.Handler) sshtest.Handler {
	var mu sync.Mutex
	return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		mu.Lock()
		*commands = append(*commands, s.Command)
		mu.Unlock()
		return run(ctx, s)
	}
}

func exit(s *sshtest.Session, err error) sshtest.Exit {
	if err != nil {
		_, _ = io.WriteString(s.Stderr, err.Error()+"\n")
		return sshtest.Exit{Status: 1}
	}
	return sshtest.Exit{}
}

// answer reads a request and seals a small report.
func answer(stdin io.Reader, change func(*report.Request, *report.Report)) (*report.Request, []byte, error) {
	request, err := report.ReadRequest(bufio.NewReader(stdin))
	if err != nil {
		return nil, nil, err
	}
	r := &report.Report{
		Visit: request.Visit, Host: request.Host, Time: time.Now(), Client: version, OS: "linux", Arch: "amd64",
		Statistics: []report.Statistic{{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 1000}},
	}
	if change != nil {
		change(request, r)
	}
	document, err := r.Marshal()
	if err != nil {
		return nil, nil, err
	}
	sealed, err := seal.Seal(request.Key, request.Nonce, seal.Binding{Host: request.Host, Visit: request.Visit, Part: uint32(request.Part)}, document)
	return request, sealed, err
}

// wantReport fails the test if the visit brought no report.
func wantReport(t testing.TB, v *visit.Visit) {
	t.Helper()
	if v.Failure != nil {
		t.Fatalf("%v\nadvice: %s\nlog: %s", v.Failure, v.Failure.Help(), v.Log)
	}
	if v.Report == nil {
		t.Fatal("there is neither a report nor a failure")
	}
}

// wantFailure checks stage and kind of the visit's failure, and that its text or advice has the words.
func wantFailure(t testing.TB, v *visit.Visit, stage failure.Stage, kind failure.Kind, words ...string) {
	t.Helper()
	if v.Failure == nil || v.Report != nil {
		t.Fatalf("got %+v, want a failure of kind %s", v, kind)
	}
	if v.Failure.Kind != kind || v.Failure.Stage != stage || v.Failure.Host != v.Host {
		t.Errorf("got %s at %s of %s, want %s at %s: %v",
			v.Failure.Kind, v.Failure.Stage, v.Failure.Host, kind, stage, v.Failure)
	}
	for _, word := range words {
		if text := v.Failure.Error() + " " + v.Failure.Help(); !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

// wantNothingLeft checks that no connection is left, and no file on the host but the client.
func (f *fake) wantNothingLeft(t *testing.T) {
	t.Helper()
	f.wantNoConnection(t)
	f.wantNoFile(t)
}

func (f *fake) wantNoConnection(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if open := f.AwaitNone(ctx); open > 0 {
		t.Errorf("%d connections are left", open)
	}
}

func (f *fake) wantNoFile(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(f.home, ".cache/muster"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "muster-client-") {
			t.Errorf("%s stays on the host", e.Name())
		}
	}
}

// memoryLog is a logger whose output can be read.
func memoryLog() (*slog.Logger, func() string) {
	var b testserver.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), b.String
}
