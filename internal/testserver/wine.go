package testserver

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wineStart is how long it may take to make a Wine prefix: some seconds, on a busy machine some more.
const wineStart = 2 * time.Minute

// WinePrefix is a Windows of its own under Wine: a drive C: with a registry, and the processes that run there.
type WinePrefix struct {
	Drive string // the folder that is C: there

	program string
	folder  string
	env     []string
}

// Wine makes a Wine prefix in a temporary folder, in which programs for windows/amd64 run, those of Go 1.26 too. At the end of
// the test all that runs there is ended and the prefix is removed. It takes six seconds and 700 MB of disk: tests share
// one by being parts of one test.
//
// It has what Debian's packages wine and wine64 give: no 32-bit programs, no display, no sound.
func Wine(t testing.TB) *WinePrefix {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs are for amd64, and Wine runs those of its own machine")
	}
	program := Need(t, "wine", "wine wine64")
	wineserver := Need(t, "wineserver", "wine wine64")
	folder := t.TempDir()
	w := &WinePrefix{Drive: filepath.Join(folder, "prefix", "drive_c"), program: program, folder: folder}
	w.env = []string{
		"WINEPREFIX=" + filepath.Join(folder, "prefix"), "WINEARCH=win64", "WINEDEBUG=-all", "DISPLAY=",
		// No .NET, no browser, no menus; and a test's own event log, where it has one: Wine's is empty functions.
		"WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=;wevtapi=n,b",
		"LC_ALL=C.UTF-8", // so that names of files are UTF-8
	}
	ctx, cancel := context.WithTimeout(t.Context(), wineStart)
	defer cancel()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wineStart)
		defer cancel()
		for _, option := range []string{"-k", "-w"} { // kill the processes of this prefix, and no others; wait for their end
			end := exec.CommandContext(ctx, wineserver, option)
			end.Env = w.Env()
			_ = end.Run()
		}
	})
	if output, err := w.Command(ctx, "wineboot", "-i").CombinedOutput(); err != nil {
		t.Fatalf("make a Wine prefix: %v\n%s", err, output)
	}
	w.install(t, "windows/system32/bcryptprimitives.dll", bcryptPrimitives())
	return w
}

// bcryptPrimitives is the DLL that Wine 8 lacks and the runtime of Go loads before anything else, from system32 alone.
// ProcessPrng in it fills a buffer with random bytes, as does RtlGenRandom, whose name in advapi32 is SystemFunction036.
func bcryptPrimitives() []byte {
	return forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036")
}

// install writes a file to drive C:.
func (w *WinePrefix) install(t testing.TB, path string, content []byte) {
	t.Helper()
	path = filepath.Join(w.Drive, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	// What is there of that name may be a link to Wine's own file.
	_ = os.Remove(path)
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Install copies a file of this machine to drive C:, where it replaces what is there.
func (w *WinePrefix) Install(t testing.TB, path, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	w.install(t, path, content)
}

// Build builds a program of ours for windows/amd64 and returns its path on this machine.
func (w *WinePrefix) Build(t testing.TB, pkg string) string {
	t.Helper()
	path := filepath.Join(w.folder, filepath.Base(pkg)+".exe")
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	command.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, output)
	}
	return path
}

// Env is the environment in which Wine runs programs in this prefix: PATH and HOME of this process, and little else.
func (w *WinePrefix) Env() []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.folder}, w.env...)
}

// Command returns a command that runs a program in the prefix. The program is a path of this machine or one of Windows.
func (w *WinePrefix) Command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, w.program, append([]string{program}, arguments...)...)
	command.Env = w.Env()
	return command
}

// GoTest runs tests of packages, as they are built for Windows, in the prefix, and fails the test if one of them fails. The
// arguments are those of go test.
func (w *WinePrefix) GoTest(t testing.TB, arguments ...string) {
	t.Helper()
	arguments = append([]string{"test", "-count=1", "-trimpath", "-exec", w.program, "-timeout", "10m"}, arguments...)
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Env = append(append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"), w.env...)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(arguments, " "), err, bytes.TrimSpace(output))
	}
}
