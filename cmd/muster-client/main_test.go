package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

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

// BenchmarkStartToExit is the client from start to exit, as a host sees it.
func BenchmarkStartToExit(b *testing.B) {
	input := encode(b, newRequest())
	for b.Loop() {
		p := start(b, input, nil)
		p.expect(b, 0)
	}
}
