package visit_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/sshtest"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// cause is how a kind of failure really comes about.
type cause struct {
	stage  failure.Stage
	kind   failure.Kind
	advice string // words that the advice has
	visit  func(t *testing.T, v *visit.Visitor) *visit.Visit
}

// causes are the real causes of failures: an sshd, its user's shell, file systems and sockets that behave so. A kind that is
// added to package failure is added here: TestEveryKindHasACause says so.
func causes() map[string]cause {
	all := make(map[string]cause)
	for _, group := range []map[string]cause{wayIn(), folders(), shells(), answers(), decisions()} {
		for name, c := range group {
			all[name] = c
		}
	}
	return all
}

func TestEveryKindHasACause(t *testing.T) {
	clients, err := deploy.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[failure.Kind]bool)
	for name, c := range causes() {
		found[c.kind] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, c.visit(t, visit.New(visit.Options{Clients: clients})), c.stage, c.kind, c.advice)
		})
	}
	for _, kind := range failure.Kinds() {
		if kind == failure.Internal { // a defect of ours has no cause but that: see TestPanic
			continue
		}
		if file := elsewhere()[kind]; file != "" {
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(text), causedBy(kind)) {
				t.Errorf("%s does not cause %s (%v)", file, kind, err)
			}
		} else if !found[kind] {
			t.Errorf("nothing here causes %s: add its cause, or where it is", kind)
		}
	}
}

// elsewhere are the tests that really cause what takes more than one sshd: other servers, sudo, jump hosts, several visits.
func elsewhere() map[failure.Kind]string {
	return map[failure.Kind]string{
		failure.PasswordRefused: "../../cmd/muster/login_test.go",
		failure.JumpFailed:      "../jump/sshd_test.go",
		failure.JumpRefused:     "../jump/sshd_test.go",
		failure.OneSession:      "small_test.go",
		failure.ClientMissing:   "rights_test.go",
		failure.ClientOld:       "rights_test.go",
		failure.SudoRefused:     "sudo_linux_test.go",
		failure.Backoff:         "../controller/backoff_test.go",
	}
}

// causedBy is how a test names a kind: by its constant, or as it is stored.
func causedBy(kind failure.Kind) string {
	if kind == failure.PasswordRefused {
		return string(kind) // the test is of the whole program
	}
	var name strings.Builder
	for word := range strings.SplitSeq(string(kind), "-") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return "failure." + name.String()
}

// on visits an sshd after a change to the host.
func on(o testserver.SSHDOptions, change func(t *testing.T, s *testserver.Sshd, h *visit.Host)) func(*testing.T, *visit.Visitor) *visit.Visit {
	return func(t *testing.T, v *visit.Visitor) *visit.Visit {
		s := testserver.SSHD(t, o)
		h := sshdHost(t, s)
		if change != nil {
			change(t, s, &h)
		}
		return v.Visit(t.Context(), h, sweep)
	}
}

// wayIn are causes before anything is run.
func wayIn() map[string]cause {
	to := func(address string, port int) func(*testing.T, *visit.Visitor) *visit.Visit {
		return on(testserver.SSHDOptions{}, func(_ *testing.T, _ *testserver.Sshd, h *visit.Host) { h.Address, h.Port = address, port })
	}
	other := func(t *testing.T) string {
		key, err := sshtest.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	}
	known := func(line func(t *testing.T, s *testserver.Sshd) string) func(*testing.T, *visit.Visitor) *visit.Visit {
		return on(testserver.SSHDOptions{}, func(t *testing.T, s *testserver.Sshd, h *visit.Host) {
			file := filepath.Join(t.TempDir(), "known_hosts")
			if err := os.WriteFile(file, []byte(line(t, s)), 0o600); err != nil {
				t.Fatal(err)
			}
			h.HostKeys = loadHostKeys(t, file)
		})
	}
	return map[string]cause{
		"a name that does not resolve": {failure.Dial, failure.NoSuchHost, "no..name", to("no..name", 22)},
		"a closed port":                {failure.Dial, failure.Refused, "sshd runs", to("127.0.0.1", 1)},
		"no network":                   {failure.Dial, failure.Unreachable, "network", withoutNetwork},
		"a port of something else":     {failure.Handshake, failure.NotSSH, "port", atSomethingElse("HTTP/1.1 400 Bad Request\r\n\r\n")},
		"a port that is silent":        {failure.Handshake, failure.Timeout, "silent", atSomethingElse("")},
		"a key that is not known": {failure.Handshake, failure.HostKeyUnknown, "fingerprint", known(
			func(*testing.T, *testserver.Sshd) string { return "" })},
		"another key than is known": {failure.Handshake, failure.HostKeyChanged, "muster trust --replace", known(
			func(t *testing.T, s *testserver.Sshd) string {
				return fmt.Sprintf("[%s]:%d %s\n", s.Address, s.Port, other(t))
			})},
		"a key that is revoked": {failure.Handshake, failure.HostKeyRevoked, "do not trust", known(
			func(t *testing.T, s *testserver.Sshd) string {
				line, err := os.ReadFile(s.KnownHosts)
				if err != nil {
					t.Fatal(err)
				}
				return "@revoked " + string(line)
			})},
		"a key that is not let in": {failure.Authentication, failure.LoginFailed, "authorized_keys", on(
			testserver.SSHDOptions{}, func(t *testing.T, _ *testserver.Sshd, h *visit.Host) {
				key, err := sshtest.NewKey()
				if err != nil {
					t.Fatal(err)
				}
				h.Signers = []ssh.Signer{key}
			})},
		"nothing to log in with": {failure.Dial, failure.Configuration, "correct", on(
			testserver.SSHDOptions{}, func(_ *testing.T, _ *testserver.Sshd, h *visit.Host) { h.Signers = nil })},
		"no SFTP": {failure.Run, failure.NoSFTP, "SFTP subsystem", on(
			testserver.SSHDOptions{NoSFTP: true}, func(_ *testing.T, _ *testserver.Sshd, h *visit.Host) { h.Transfer = visit.File })},
		"a shell that runs nothing": {failure.Platform, failure.NoShell, "shell", on(
			testserver.SSHDOptions{Shell: "/usr/sbin/nologin", Config: []string{"Subsystem sftp internal-sftp"}}, nil)},
	}
}

// withoutNetwork visits from a network namespace in which not even loopback is up.
func withoutNetwork(t *testing.T, v *visit.Visitor) *visit.Visit {
	testserver.NeedRoot(t, "a network namespace")
	f := newFake(t, nil)
	h := f.host(t)
	visits := make(chan *visit.Visit)
	go func() {
		defer close(visits)
		runtime.LockOSThread() // which ends with this goroutine
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			t.Errorf("a network namespace: %v", err)
			return
		}
		visits <- v.Visit(t.Context(), h, sweep)
	}()
	visited := <-visits
	if visited == nil {
		t.FailNow()
	}
	return visited
}

// atSomethingElse visits a port at which something says a text, or nothing.
func atSomethingElse(text string) func(*testing.T, *visit.Visitor) *visit.Visit {
	return func(t *testing.T, v *visit.Visitor) *visit.Visit {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := conn.Write([]byte(text)); err != nil || text != "" {
					conn.Close() // as web servers do
				}
			}
		}()
		t.Cleanup(func() { listener.Close(); <-ended })
		h := newFake(t, nil).host(t)
		h.Port, h.Deadlines.Handshake = listener.Addr().(*net.TCPAddr).Port, time.Second
		return v.Visit(t.Context(), h, sweep)
	}
}

// folders are causes in the file system of the host.
func folders() map[string]cause {
	in := func(directory string) func(*testing.T, *visit.Visitor) *visit.Visit {
		return on(testserver.SSHDOptions{}, func(_ *testing.T, _ *testserver.Sshd, h *visit.Host) { h.Directory = directory })
	}
	mounted := func(flags uintptr, options string) func(*testing.T, *visit.Visitor) *visit.Visit {
		return func(t *testing.T, v *visit.Visitor) *visit.Visit {
			folder := mountFor(t, flags, options) // before sshd starts, so that it sees it
			return in(folder)(t, v)
		}
	}
	return map[string]cause{
		"a folder of root's":            {failure.Deploy, failure.PermissionDenied, "permissions", in("/etc/muster")},
		"a file in the folder's place":  {failure.Deploy, failure.FileFailed, "path", in("/etc/passwd/muster")},
		"a file system without execute": {failure.Deploy, failure.NoExec, "allows execution", mounted(syscall.MS_NOEXEC, "size=16m")},
		"a file system that is full":    {failure.Deploy, failure.DiskFull, "make room", mounted(0, "size=1m")},
		"a file system without inodes":  {failure.Deploy, failure.DiskFull, "make room", mounted(0, "size=16m,nr_inodes=1")},
		"a quota":                       {failure.Deploy, failure.Quota, "quota", beyondQuota},
		"an impossible folder":          {failure.Deploy, failure.Configuration, "correct", in("a\nb")},
	}
}

// mountFor mounts a file system that belongs to the user whom sshd lets in.
func mountFor(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	testserver.NeedRoot(t, "a file system")
	folder, err := os.MkdirTemp("", "muster-causes")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(folder) })
	if err := syscall.Mount("muster-test", folder, "tmpfs", flags, options+",mode=700,uid=61234,gid=61234"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("this needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// beyondQuota visits a host whose user may write nothing more, of which SFTP says no more than that it failed. File systems
// with quotas are rarely to be had where tests run: the words are those of Linux, the dd that says them is not.
func beyondQuota(t *testing.T, v *visit.Visitor) *visit.Visit {
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "dd"), []byte("#!/bin/sh\necho \"dd: error writing '$1': Disk quota exceeded\" >&2\nexit 1\n"),
		0o700); err != nil {
		t.Fatal(err)
	}
	f := newFake(t, func(o *sshtest.Options) {
		o.Env = []string{"PATH=" + programs + ":" + os.Getenv("PATH")}
		o.SFTP = sshtest.WithoutWriting
	})
	h := f.host(t)
	h.Directory = "here"
	return v.Visit(t.Context(), h, sweep)
}

// shells are causes in what the user's login shell does.
func shells() map[string]cause {
	slow := func(limit func(*visit.Deadlines) *time.Duration, script string) func(*testing.T, *visit.Visitor) *visit.Visit {
		return shell(script, func(_ *testing.T, _ *testserver.Sshd, h *visit.Host) { *limit(&h.Deadlines) = time.Second })
	}
	return map[string]cause{
		"no client for it": {failure.Platform, failure.UnknownPlatform, "platforms", shell(`*uname*) echo Linux riscv64; exit;;`, nil)},
		"not what it says": {failure.Deploy, failure.WrongPlatform, "uname -sm", shell(`*uname*) echo Linux aarch64; exit;;`, nil)},
		"a login script that prints into SFTP": {failure.Deploy, failure.Noise, "login script", shell(`*sftp*) echo Welcome to this fine machine;;`,
			func(t *testing.T, _ *testserver.Sshd, _ *visit.Host) {}, "Subsystem sftp "+sftpServer())},
		"a login script that prints a lot": {failure.Run, failure.Noise, "login script",
			shell(`*/muster-client-????????????????) yes noise | head -c 100000;;`, nil)},
		"a login script that waits": {failure.Platform, failure.Timeout, "login script",
			slow(func(d *visit.Deadlines) *time.Duration { return &d.Platform }, `*uname*) exec sleep 600;;`)},
		"a virus scanner": {failure.Deploy, failure.Vanished, "SHA-256", shell(`*--version) rm -f "$HOME"/.cache/muster/muster-client-*;;`, nil)},
		"a host that goes down": {failure.Run, failure.Disconnected, "sshd log",
			shell(`*/muster-client-????????????????) kill -9 $PPID; exec sleep 600;;`, nil)},
	}
}

// sftpServer is OpenSSH's SFTP server as a program of its own, which the user's shell starts.
func sftpServer() string {
	for _, path := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "/usr/lib/openssh/sftp-server"
}

// shell visits an sshd whose user has a shell that begins with cases of its own: patterns that the command is matched with.
func shell(cases string, change func(*testing.T, *testserver.Sshd, *visit.Host), config ...string) func(*testing.T, *visit.Visitor) *visit.Visit {
	return func(t *testing.T, v *visit.Visitor) *visit.Visit {
		t.Helper()
		file, err := os.CreateTemp("", "muster-shell")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(file.Name()) })
		_, err = fmt.Fprintf(file, "#!/bin/sh\ncase \"$2\" in\n%s\nesac\nexec /bin/sh \"$@\"\n", cases)
		if err := errors.Join(err, file.Chmod(0o755), file.Close()); err != nil {
			t.Fatal(err)
		}
		return on(testserver.SSHDOptions{Shell: file.Name(), Config: config}, change)(t, v)
	}
}

// answers are causes in what comes back from the client.
func answers() map[string]cause {
	client := func(script string) func(*testing.T, *visit.Visitor) *visit.Visit {
		return shell("*/muster-client-????????????????) "+script+";;", nil)
	}
	garbage := []byte("no envelope, though its sum is right")
	frame := fmt.Sprintf("MUSTER1 %d %x\\n%s\\n", len(garbage), sha256.Sum256(garbage), base64.StdEncoding.EncodeToString(garbage))
	return map[string]cause{
		"a client that fails":       {failure.Run, failure.ClientFailed, "log", client(`echo no luck >&2; exit 3`)},
		"a client that is killed":   {failure.Run, failure.ClientCrashed, "killed", client(`kill -9 $$`)},
		"a client without memory":   {failure.Run, failure.ClientCrashed, "memory", client(`ulimit -v 400000; exec /bin/sh -c "$2"`)},
		"an account that is closed": {failure.Run, failure.NoReport, "login script", client(`echo This account is closed; exit 0`)},
		"a report that is cut":      {failure.Receive, failure.ReportCut, "network", client(`/bin/sh -c "$2" | head -c 300; exit`)},
		"a report that is changed":  {failure.Receive, failure.ReportAltered, "changes data", client(`/bin/sh -c "$2" | sed y/BC/CB/; exit`)},
		"too large a report":        {failure.Run, failure.ReportTooLarge, "bounds", client(`echo MUSTER1 99999999 ` + strings.Repeat("ab", 32) + `; exit`)},
		"what is no report":         {failure.Open, failure.ReportInvalid, "damaged", client(`printf '` + frame + `'; exit`)},
		"a command that repeats itself": {failure.Open, failure.ReportReplayed, "forced command", func(t *testing.T, v *visit.Visitor) *visit.Visit {
			return shell(`*/muster-client-????????????????) [ -e "$HOME/last" ] || /bin/sh -c "$2" > "$HOME/last"; cat "$HOME/last"; exit;;`,
				func(t *testing.T, _ *testserver.Sshd, h *visit.Host) { wantReport(t, v.Visit(t.Context(), *h, sweep)) })(t, v)
		}},
	}
}

// decisions are causes that are the server's own.
func decisions() map[string]cause {
	return map[string]cause{
		"a server that stops": {failure.Dial, failure.Cancelled, "nothing is wrong", func(t *testing.T, v *visit.Visitor) *visit.Visit {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return v.Visit(ctx, newFake(t, nil).host(t), sweep)
		}},
		"a visit that still runs": {failure.Dial, failure.Busy, "interval", func(t *testing.T, _ *visit.Visitor) *visit.Visit {
			return visit.Busy(newFake(t, nil).host(t), sweep)
		}},
	}
}
