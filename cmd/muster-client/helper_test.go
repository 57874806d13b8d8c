package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"muster/internal/report"
	"muster/internal/seal"
)

// program is the client itself, stripped as it is shipped, which the tests run. TestMain builds it.
var program string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "muster-client-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "muster-client")
	if err := build(program, runtime.GOOS, runtime.GOARCH); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(path, goos, goarch string) error {
	command := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=9.8.7", "-o", path, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the client for %s/%s: %w\n%s", goos, goarch, err, output)
	}
	return nil
}

// own is where the packages of ours that the client may link have their sources, seen from here, and their names.
func own() map[string]string {
	return map[string]string{
		".":                                   "muster/cmd/muster-client",
		"../../internal/client":               "muster/internal/client",
		"../../internal/client/bound":         "muster/internal/client/bound",
		"../../internal/client/stats":         "muster/internal/client/stats",
		"../../internal/client/logs":          "muster/internal/client/logs",
		"../../internal/client/logs/all":      "muster/internal/client/logs/all",
		"../../internal/client/logs/files":    "muster/internal/client/logs/files",
		"../../internal/client/logs/journal":  "muster/internal/client/logs/journal",
		"../../internal/client/logs/syslog":   "muster/internal/client/logs/syslog",
		"../../internal/client/logs/wevt":     "muster/internal/client/logs/wevt",
		"../../internal/client/logs/winevent": "muster/internal/client/logs/winevent",
		"../../internal/report":               "muster/internal/report",
		"../../internal/seal":                 "muster/internal/seal",
	}
}

// depend looks at the sources of the program, so that the go command sees what these tests depend on: it remembers the
// result of a test for as long as the test itself and the files that it looked at are the same.
var depend = sync.OnceValue(func() error {
	var errs []error
	for folder := range own() {
		_, err := os.ReadDir(folder)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
})

func newRequest() *report.Request {
	r := &report.Request{Visit: "visit-1", Host: "web-1"}
	copy(r.Key[:], "a key of thirty-two bytes, no more")
	copy(r.Nonce[:], "twelve bytes")
	return r
}

func encode(t testing.TB, request *report.Request) []byte {
	t.Helper()
	line, err := request.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}

// process is a client that runs, and what a server would hold of it. Standard input stays open.
type process struct {
	*exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr bytes.Buffer
}

// start starts the client, in a folder of its own: whatever it may write where it stands does not come to lie among the
// sources. What prepare changes is changed before.
func start(t testing.TB, input []byte, prepare func(*exec.Cmd)) *process {
	t.Helper()
	if err := depend(); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(program)}
	p.Dir = t.TempDir()
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	if prepare != nil {
		prepare(p.Cmd)
	}
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil { // the test has failed before it waited
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	if _, err := stdin.Write(input); err != nil {
		t.Fatal(err)
	}
	return p
}

// status waits for the end and returns the exit status.
func (p *process) status(t testing.TB) int {
	t.Helper()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

func (p *process) expect(t testing.TB, status int) {
	t.Helper()
	if got := p.status(t); got != status {
		t.Fatalf("the exit status is %d, want %d; the log:\n%s", got, status, p.stderr.String())
	}
}

// open reads a frame and opens the report; sealed is the file's content for a report that lies in one.
func open(t testing.TB, request *report.Request, stdout, sealed []byte) *report.Report {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(stdout))
	frame, err := report.ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	if frame.File {
		err = frame.Check(sealed)
	} else {
		sealed, err = frame.ReadBody(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	to := seal.Binding{Host: request.Host, Visit: request.Visit}
	document, err := seal.Open(request.Key, request.Nonce, to, sealed, report.MaxDocument)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := report.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func has(r *report.Report, name string) bool {
	return slices.ContainsFunc(r.Statistics, func(s report.Statistic) bool { return s.Name == name })
}

// installedName is a name as a server gives it to a client that it puts on a host.
const installedName = "muster-client-0123456789abcdef"

// installed copies the program into a folder of its own, as deployed.
func installed(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), installedName)
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// named copies the program into a folder of its own, under a name.
func named(t *testing.T, name string) string {
	t.Helper()
	deployed := installed(t)
	path := filepath.Join(filepath.Dir(deployed), name)
	if err := os.Rename(deployed, path); err != nil {
		t.Fatal(err)
	}
	return path
}
