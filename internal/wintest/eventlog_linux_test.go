package wintest_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// eventLogs are the logs of a Windows that has the double of wevtapi.dll: a file each.
type eventLogs struct {
	folder string // C:\wevt
}

// installEventLog builds the double and puts it where Windows has its own.
func installEventLog(t *testing.T, w *testserver.WinePrefix) *eventLogs {
	t.Helper()
	compiler := testserver.Need(t, "x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64-win32")
	sources, err := filepath.Glob("testdata/wevtapi/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("%d sources, %v", len(sources), err)
	}
	library := filepath.Join(t.TempDir(), "wevtapi.dll")
	arguments := append([]string{
		"-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-O1", "-shared", "-s", "-o", library,
	}, sources...)
	if output, err := exec.CommandContext(t.Context(), compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("build the double of wevtapi.dll: %v\n%s", err, output)
	}
	w.Install(t, "windows/system32/wevtapi.dll", library)
	l := &eventLogs{folder: filepath.Join(w.Drive, "wevt")}
	if err := os.MkdirAll(l.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

// write makes a log of these events, whatever it was before. Who reads it sees the old one or the new one.
func (l *eventLogs) write(t *testing.T, channel string, events []string) {
	t.Helper()
	l.file(t, strings.ReplaceAll(channel, "/", "%4")+".xml", strings.Join(events, "\n"))
}

// modes have the functions fail: see testdata/wevtapi/modes.c.
func (l *eventLogs) modes(t *testing.T, lines ...string) {
	t.Helper()
	l.file(t, "modes.txt", strings.Join(lines, "\n"))
}

func (l *eventLogs) file(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(l.folder, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// wantAllClosed checks that no process ended with handles of the event log open.
func (l *eventLogs) wantAllClosed(t *testing.T) {
	t.Helper()
	if open, err := os.ReadFile(filepath.Join(l.folder, "open.txt")); err == nil {
		t.Errorf("processes left so many handles open:\n%s", open)
	}
}

// forgetOpen forgets the processes that ended with handles open: a client whose server is killed while it reads ends at once, and
// leaves it to the system to close what it has open.
func (l *eventLogs) forgetOpen(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(l.folder, "open.txt")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// testEventLog runs the tests of the binding as a program for Windows, against the double.
func testEventLog(t *testing.T, w *windows) {
	w.GoTest(t, "-run", "^TestDouble", "muster/internal/client/logs/wevt")
	w.logs.wantAllClosed(t)
}
