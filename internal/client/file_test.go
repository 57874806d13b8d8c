package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client"
	"muster/internal/client/stats"
	"muster/internal/report"
)

// toFile starts a pass whose report goes to a file, and returns its frame as soon as that is written.
func toFile(t *testing.T, ctx context.Context) (p *pass, frame *report.Frame, ended <-chan error) {
	t.Helper()
	output, stdout := io.Pipe()
	t.Cleanup(func() { output.Close() })
	p = &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, folder: t.TempDir(), stdout: stdout}
	p.request.File = "report-1.bin"
	ended = p.start(t, ctx)
	frame, err := report.ReadHeader(bufio.NewReader(output))
	if err != nil || !frame.File {
		t.Fatalf("got %+v and %v", frame, err)
	}
	return p, frame, ended
}

func TestTheReportGoesToAFile(t *testing.T) {
	p, frame, ended := toFile(t, t.Context())
	path := filepath.Join(p.folder, "report-1.bin")
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("its mode is %v %v", info.Mode(), err)
	}
	if err := frame.Check(sealed); err != nil {
		t.Error(err)
	}
	if r := open(t, p.request, sealed); len(r.Statistics) != 1 {
		t.Errorf("got %+v", r)
	}
	p.server.Close()
	<-ended
}

// The file is there for as long as the server may want it, and no longer.
func TestTheFileDoesNotOutliveItsVisit(t *testing.T) {
	for name, end := range map[string]func(p *pass, cancel func()){
		"the server is gone": func(p *pass, _ func()) { p.server.Close() },
		"it is told to end":  func(_ *pass, cancel func()) { cancel() },
		"the server has removed it, and ends": func(p *pass, _ func()) {
			_ = os.Remove(filepath.Join(p.folder, "report-1.bin"))
			p.server.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, _, ended := toFile(t, ctx)
			if left, err := os.ReadDir(p.folder); err != nil || len(left) != 1 {
				t.Fatalf("the folder holds %v %v", left, err)
			}
			end(p, cancel)
			if err := <-ended; err != nil && !errors.Is(err, client.ErrStopped) { // the end of the write may come to it later than to us
				t.Error(err)
			}
			if left, err := os.ReadDir(p.folder); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestTheFileDoesNotOutliveTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, folder: t.TempDir()}
		p.request.File, p.request.Deadline = "report.bin", 3*time.Second
		began := time.Now()
		if err := <-p.start(t, t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if left, err := os.ReadDir(p.folder); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}

func TestAFileThatExistsIsLeftAlone(t *testing.T) {
	p := &pass{request: newRequest(), folder: t.TempDir()}
	p.request.File = "muster-client"
	path := filepath.Join(p.folder, "muster-client")
	if err := os.WriteFile(path, []byte("precious"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := <-p.start(t, t.Context()); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if content, err := os.ReadFile(path); string(content) != "precious" || p.out.Len() > 0 {
		t.Errorf("the file holds %q (%v), standard output %q", content, err, p.out.String())
	}
}

func TestAFileWithoutAFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	p := &pass{request: newRequest()}
	p.request.File = "report.bin"
	if err := <-p.start(t, t.Context()); !errors.Is(err, client.ErrRequest) || !strings.Contains(err.Error(), "writes no file") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("report.bin"); err == nil {
		t.Error("it wrote into the current folder")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAFileWhoseFrameCannotBeWrittenIsRemoved(t *testing.T) {
	p := &pass{request: newRequest(), folder: t.TempDir(), stdout: broken{}}
	p.request.File = "report.bin"
	if err := <-p.start(t, t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(p.folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A name that report.ReadRequest lets pass, but that is not for a client to write to.
func TestAHiddenFileIsRefused(t *testing.T) {
	for _, name := range []string{".profile", "a..b"} {
		p := &pass{request: newRequest(), folder: t.TempDir()}
		p.request.File = name
		if err := <-p.start(t, t.Context()); !errors.Is(err, client.ErrRequest) {
			t.Errorf("%s: got %v", name, err)
		}
		if left, err := os.ReadDir(p.folder); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v %v", name, left, err)
		}
	}
}
