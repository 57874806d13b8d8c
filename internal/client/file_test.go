package client_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"muster/internal/client"
	"muster/internal/client/stats"
	"muster/internal/report"
)

func TestTheReportGoesToAFile(t *testing.T) {
	p := &pass{request: newRequest(), sources: []stats.Source{gives("load", load(1))}, folder: t.TempDir()}
	p.request.File = "report-1.bin"
	if err := <-p.start(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.folder, "report-1.bin")
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("its mode is %v %v", info.Mode(), err)
	}
	frame, err := report.ReadHeader(bufio.NewReader(&p.out))
	if err != nil || !frame.File {
		t.Fatalf("got %+v and %v", frame, err)
	}
	if err := frame.Check(sealed); err != nil {
		t.Error(err)
	}
	if r := open(t, p.request, sealed); len(r.Statistics) != 1 {
		t.Errorf("got %+v", r)
	}
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
	if err := <-p.start(t, t.Context()); err == nil || !strings.Contains(err.Error(), "folder") {
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
