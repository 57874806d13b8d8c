package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestItReportsWhileStandardInputStaysOpen(t *testing.T) {
	request := newRequest()
	p := start(t, encode(t, request), nil)
	p.expect(t, 0)
	r := open(t, request, p.stdout.Bytes(), nil)
	if r.Client != "9.8.7" || r.OS != runtime.GOOS || r.Arch != runtime.GOARCH || len(r.Failures) > 0 {
		t.Errorf("got %+v", r)
	}
	for _, name := range []string{"cpu.time", "memory.usage", "uptime", "disk.usage"} {
		if !has(r, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if has(r, "cpu.usage") {
		t.Error("cpu.usage is there, from one reading")
	}
	if log := p.stderr.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "report delivered") {
		t.Errorf("the log is %q", log)
	}
}

func TestASampleGivesTheCPUsUsage(t *testing.T) {
	request := newRequest()
	request.Sample = 200 * time.Millisecond
	request.Sources = []string{"cpu"}
	began := time.Now()
	p := start(t, encode(t, request), nil)
	p.expect(t, 0)
	if took := time.Since(began); took < request.Sample {
		t.Errorf("it took %v", took)
	}
	r := open(t, request, p.stdout.Bytes(), nil)
	if !has(r, "cpu.usage") || has(r, "uptime") {
		t.Errorf("got %+v", r.Statistics)
	}
}

func TestTheEndOfStandardInputStopsIt(t *testing.T) {
	request := newRequest()
	request.Sample = 10 * time.Second
	request.Deadline = time.Minute
	began := time.Now()
	p := start(t, encode(t, request), nil)
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	p.expect(t, 3)
	if took := time.Since(began); took > request.Sample/2 {
		t.Errorf("it took %v", took)
	}
	if p.stdout.Len() > 0 || !strings.Contains(p.stderr.String(), "standard input ended") {
		t.Errorf("standard output is %q, the log %q", p.stdout.String(), p.stderr.String())
	}
}

func TestBadInput(t *testing.T) {
	good := encode(t, newRequest())
	for name, c := range map[string]struct {
		arguments []string
		input     string
		log       string
	}{
		"nothing":                {nil, "", "none came"},
		"half a request":         {nil, string(good[:40]), "ended inside"},
		"no request":             {nil, "hello\n", "not base64"},
		"an argument":            {[]string{"--help"}, "", "usage"},
		"more than the version":  {[]string{"--version", "x"}, "", "usage"},
		"an argument, a request": {[]string{"report"}, string(good), "usage"},
	} {
		command := exec.Command(program, c.arguments...)
		command.Stdin = strings.NewReader(c.input)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		err := command.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%s: %v, want exit status 2", name, err)
		}
		if stdout.Len() > 0 || !strings.Contains(stderr.String(), c.log) {
			t.Errorf("%s: standard output is %q, the log %q", name, stdout.String(), stderr.String())
		}
	}
}

// What follows the request is no business of the client's; it must neither fail nor pile up.
func TestWhatFollowsTheRequestIsPassedOver(t *testing.T) {
	request := newRequest()
	p := start(t, append(encode(t, request), bytes.Repeat([]byte("more\n"), 10_000)...), nil)
	p.expect(t, 0)
	open(t, request, p.stdout.Bytes(), nil)
}

func TestVersion(t *testing.T) {
	output, err := exec.Command(program, "--version").Output()
	if err != nil || string(output) != "9.8.7\n" {
		t.Errorf("got %q and %v", output, err)
	}
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

func TestTheReportLiesBesideTheProgram(t *testing.T) {
	path := installed(t)
	request := newRequest()
	request.File = "report.bin"
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path, c.Dir, c.Stdout = path, t.TempDir(), writer })
	writer.Close()
	var frame bytes.Buffer
	if _, err := report.ReadHeader(bufio.NewReader(io.TeeReader(reader, &frame))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(path), "report.bin")
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := open(t, request, frame.Bytes(), sealed); !has(r, "uptime") {
		t.Errorf("got %+v", r)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("its mode is %v (%v)", info.Mode(), err)
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if status := p.status(t); status != 0 && status != 3 { // the end of the write may come to it later than to us
		t.Errorf("the exit status is %d", status)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file outlives its visit: %v", err)
	}

	if err := os.WriteFile(file, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	again := start(t, encode(t, request), func(c *exec.Cmd) { c.Path = path })
	again.expect(t, 1)
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, sealed) || again.stdout.Len() > 0 {
		t.Errorf("a file that was there was written over (%v)", err)
	}
	if log := again.stderr.String(); !strings.Contains(log, "report.bin") {
		t.Errorf("the log is %q", log)
	}
}

func TestItLinksNothingOfTheServer(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := slices.Collect(maps.Values(own()))
	packages := strings.Fields(string(output))
	if !slices.Contains(packages, "muster/internal/client/stats") {
		t.Fatalf("go list says %q", output)
	}
	for _, name := range packages {
		if strings.HasPrefix(name, "muster/") && !slices.Contains(allowed, name) {
			t.Errorf("it links %s", name)
		}
		for _, foreign := range []string{
			"golang.org/x/crypto", "gorm.io", "nats", "mail", "database/sql", "sqlite", "pgx", "mysql", "kong", "lipgloss",
			"net/http", "crypto/tls", "html/template", "text/template",
		} {
			if strings.Contains(name, foreign) && !strings.HasPrefix(name, "vendor/") {
				t.Errorf("it links %s", name)
			}
		}
	}
}

func TestItIsSmall(t *testing.T) {
	const most = 4_500_000
	for _, platform := range []string{
		"linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64",
		"darwin/amd64", "darwin/arm64", "freebsd/amd64", "freebsd/arm64",
	} {
		t.Run(platform, func(t *testing.T) {
			if testing.Short() && platform != "linux/amd64" {
				t.Skip("-short: a build for each platform takes a while")
			}
			goos, goarch, _ := strings.Cut(platform, "/")
			path := filepath.Join(t.TempDir(), "muster-client")
			if err := build(path, goos, goarch); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", info.Size())
			if info.Size() >= most {
				t.Errorf("it has %d bytes, and may have %d", info.Size(), most)
			}
		})
	}
}

// BenchmarkStartToExit is the client from start to exit, as a host sees it.
func BenchmarkStartToExit(b *testing.B) {
	input := encode(b, newRequest())
	for b.Loop() {
		p := start(b, input, nil)
		p.expect(b, 0)
	}
}
