//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/internal/report"
)

// full returns the end of a pipe into which not a byte can be written any more, and the other end.
func full(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); writer.Close() })
	raw, err := writer.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var written error
	err = raw.Write(func(fd uintptr) bool {
		for size := 4096; size > 0; { // whole pages, then what the last one leaves
			if _, written = syscall.Write(int(fd), bytes.Repeat([]byte("\n"), size)); written != nil {
				size /= 2
			}
		}
		return true
	})
	if err != nil || !errors.Is(written, syscall.EAGAIN) {
		t.Fatalf("the pipe is not full: %v, %v", err, written)
	}
	return reader, writer
}

// A server that does not read leaves the client in the kernel: its deadline ends it all the same, and nothing is left.
func TestTheDeadlineEndsAWriteThatHangs(t *testing.T) {
	path := installed(t)
	_, writer := full(t)
	request := newRequest()
	request.Deadline = 500 * time.Millisecond
	request.File = "report.bin"
	p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path, c.Stdout = path, writer })
	p.expect(t, 3)
	if !strings.Contains(p.stderr.String(), "deadline") {
		t.Errorf("the log is %q", p.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "report.bin")); !os.IsNotExist(err) {
		t.Errorf("the file is left behind: %v", err)
	}
}

func TestItIsStoppedWhileItWrites(t *testing.T) {
	for name, stop := range map[string]func(*process) error{
		"by the end of standard input": func(p *process) error { return p.stdin.Close() },
		"by SIGTERM":                   func(p *process) error { return p.Process.Signal(syscall.SIGTERM) },
		"by SIGHUP":                    func(p *process) error { return p.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			path := installed(t)
			file := filepath.Join(filepath.Dir(path), "report.bin")
			_, writer := full(t)
			request := newRequest()
			request.File = "report.bin"
			written := awaitWritten(t, file) // which is before the frame
			p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path, c.Stdout = path, writer })
			written()
			if err := stop(p); err != nil {
				t.Fatal(err)
			}
			p.expect(t, 3)
			if _, err := os.Stat(file); !os.IsNotExist(err) {
				t.Errorf("the file is left behind: %v", err)
			}
		})
	}
}

// A server that is gone is an error of the write: no signal may kill the client before it has removed its file.
func TestTheServerIsGone(t *testing.T) {
	path := installed(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	reader.Close()
	request := newRequest()
	request.File = "report.bin"
	p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path, c.Stdout = path, writer })
	p.expect(t, 1)
	if !strings.Contains(p.stderr.String(), "broken pipe") {
		t.Errorf("the log is %q", p.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "report.bin")); !os.IsNotExist(err) {
		t.Errorf("the file is left behind: %v", err)
	}
}

// The client is held where all its work is done, the report made and sealed, and only the frame's header is unwritten.
// Its peak is asked of the kernel there: what wait4 tells of a child includes the memory of who started it.
func TestItNeedsLittleMemory(t *testing.T) {
	request := newRequest()
	request.Sample = 50 * time.Millisecond
	const most = 12 << 20
	if peak := peakOf(t, request); peak >= most {
		t.Errorf("it took %d bytes, and may take %d", peak, most)
	}
}

// However many records wait, a client holds those of one report.
func TestAMillionRecordsNeedBoundedMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.log")
	line := "Mar 14 15:09:26 web1 sshd[516]: Failed password for invalid user admin from 192.0.2.1 port 51022 ssh2\n"
	if err := os.WriteFile(path, bytes.Repeat([]byte(line), 1_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	request := newRequest()
	request.Logs = []report.LogRequest{{Channel: report.FileChannel + path, Raw: true, Since: report.SinceAll, Fresh: 1}}
	letRead(t, path)
	const most = 24 << 20
	if peak := peakOf(t, request); peak >= most {
		t.Errorf("it took %d bytes, and may take %d", peak, most)
	}
	request.File = ""
	p := start(t, encode(t, request), nil)
	p.expect(t, 0)
	r := open(t, request, p.stdout.Bytes(), nil)
	if l := r.Logs[0]; len(l.Records) != report.MaxRecords || !l.More || l.Trouble != nil || l.Records[0].Raw != strings.TrimSpace(line) {
		t.Errorf("got %d records, more: %v, %+v", len(l.Records), l.More, l.Trouble)
	}
	if err := request.CheckLogs(r.Logs); err != nil {
		t.Error(err)
	}
}

// letRead has the installed client read a file for as long as the test runs.
func letRead(t *testing.T, path string) {
	t.Helper()
	list := program + ".logs"
	if err := os.WriteFile(list, []byte(report.FileChannel+path+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(list) })
}

// Which logs the program reads hangs on its name, on who runs it and on the list beside it.
func TestWhichLogsTheProgramReads(t *testing.T) {
	named, other := filepath.Join(t.TempDir(), "named.log"), filepath.Join(t.TempDir(), "other.log")
	request := newRequest()
	for _, path := range []string{named, other} {
		if err := os.WriteFile(path, []byte("a line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		request.Logs = append(request.Logs,
			report.LogRequest{Channel: report.FileChannel + path, Since: report.SinceAll, Fresh: 1})
	}
	want := func(what, path string, read ...bool) {
		t.Helper()
		p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path = path })
		p.expect(t, 0)
		for i, l := range open(t, request, p.stdout.Bytes(), nil).Logs {
			if (l.Trouble == nil) != read[i] || len(l.Records) == 1 != read[i] {
				t.Errorf("%s: %s has %d records, %+v", what, l.Channel, len(l.Records), l.Trouble)
			}
		}
	}
	root := os.Geteuid() == 0
	want("uploaded", installed(t), true, true)
	want("installed, without a list", program, !root, !root)
	letRead(t, named)
	want("installed, with a list", program, true, false)
	if err := os.Remove(named); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, named); err != nil {
		t.Fatal(err)
	}
	want("installed, with a list, and a link to what is not in it", program, false, false)
}

// peakOf returns the most memory that a client with a request has had, in bytes.
func peakOf(t *testing.T, request *report.Request) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the peak is read from Linux's /proc")
	}
	path := installed(t)
	reader, writer := full(t)
	request.File = "report.bin"
	written := awaitWritten(t, filepath.Join(filepath.Dir(path), "report.bin")) // which is before the frame
	p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path, c.Stdout = path, writer })
	written()
	peak := peakMemory(t, p.Process.Pid)
	writer.Close()
	drained := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "MUSTER1 ") {
				_ = p.stdin.Close() // the report is there: the client may end
			}
		}
		drained <- lines.Err()
	}()
	if status := p.status(t); status != 0 && status != 3 { // the end of the write may come to it later than to us
		t.Errorf("the exit status is %d", status)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	t.Logf("%d KiB", peak>>10)
	return peak
}

// peakMemory returns the most memory that a running process has had resident, in bytes (VmHWM, proc_pid_status(5)).
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(status), "VmHWM:")
	if !found {
		t.Fatalf("no peak in %s", status)
	}
	kibibytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kibibytes << 10
}
