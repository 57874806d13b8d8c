package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"muster/internal/testserver"
)

// changes are the calls of the system that change a file system by a path, in the words of strace.
const changes = "creat,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat," +
	"chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,truncate,ftruncate,utimensat,utimes,setxattr,lsetxattr,fsetxattr," +
	"mount,umount2,fallocate,open,openat,openat2"

// writing are the flags with which a file is opened to be changed.
var writing = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE`)

// attempted returns what the client, run as path, tried to change on any file system, as strace has it.
func attempted(t *testing.T, path string, prepare func(file *string)) []string {
	t.Helper()
	strace := testserver.Need(t, "strace", "strace")
	trace := filepath.Join(t.TempDir(), "trace")
	request := newRequest()
	request.Sample = 50 * time.Millisecond
	prepare(&request.File)
	if request.File != "" {
		request.Deadline = 2 * time.Second // the file stays until then: nobody fetches it
	}
	p := start(t, encode(t, request), func(c *exec.Cmd) {
		c.Path, c.Args = strace, []string{strace, "-f", "-qq", "-e", "trace=" + changes, "-o", trace, path}
		c.Dir = "/"
	})
	p.expect(t, 0)
	lines, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(lines), `/proc/`) {
		t.Fatalf("strace saw nothing:\n%s", lines)
	}
	var attempts []string
	for line := range strings.Lines(string(lines)) {
		_, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		opens := strings.HasPrefix(call, "open")
		if opens && !writing.MatchString(call) || strings.HasPrefix(call, "---") || strings.HasPrefix(call, "+++") ||
			strings.HasPrefix(call, "<...") {
			continue
		}
		attempts = append(attempts, call)
	}
	return attempts
}

// However it was asked, the client tries to change nothing but the report's file beside itself; one that was installed
// nothing at all.
func TestItWritesNothingElse(t *testing.T) {
	for _, name := range []string{installedName, "muster-client"} {
		path := named(t, name)
		if attempts := attempted(t, path, func(*string) {}); len(attempts) > 0 {
			t.Errorf("%s, by standard output: %q", name, attempts)
		}
	}
	path := named(t, installedName)
	attempts := attempted(t, path, func(file *string) { *file = "report.bin" })
	want := `"` + filepath.Join(filepath.Dir(path), "report.bin") + `"`
	if len(attempts) != 2 || !strings.HasPrefix(attempts[0], "openat(AT_FDCWD, "+want+", O_WRONLY|O_CREAT|O_EXCL|") ||
		!strings.HasPrefix(attempts[1], "unlinkat(AT_FDCWD, "+want) {
		t.Errorf("with a file: %q, want only %s, made and removed", attempts, want)
	}
}

// Whoever has the key to a host on which the client is installed, perhaps to be run by root, can't have it write.
func TestAnInstalledClientWritesNoFile(t *testing.T) {
	path := named(t, "muster-client")
	request := newRequest()
	request.File = "muster-report-1"
	p := start(t, encode(t, request), func(c *exec.Cmd) { c.Path = path })
	p.expect(t, 2)
	if log := p.stderr.String(); !strings.Contains(log, "writes no file") || p.stdout.Len() > 0 {
		t.Errorf("the log is %q", log)
	}
	old := filepath.Join(filepath.Dir(path), "muster-report-old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-100 * time.Hour)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	p = start(t, encode(t, newRequest()), func(c *exec.Cmd) { c.Path = path })
	p.expect(t, 0)
	if _, err := os.Stat(old); err != nil {
		t.Errorf("it tidied a folder that is not its own: %v", err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 2 {
		t.Errorf("beside it lie %v, %v", files, err)
	}
}
