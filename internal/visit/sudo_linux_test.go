package visit_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// With a pseudo-terminal of its own (use_pty, the default since sudo 1.9.14) and without, sudo hands the request on.
func TestSudoBySSHD(t *testing.T) {
	testserver.Need(t, "sudo", "sudo")
	for name, more := range map[string]string{
		"use_pty": "",
		"without": noPty,
		"noise":   ": >/etc/hosts; printf 'hosts: files\\n' >/etc/nsswitch.conf\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testserver.SSHD(t, testserver.SSHDOptions{Setup: installed(t, mayRunAsRoot, more)})
			host := standingHost(t, s)
			host.Sudo = true
			wantStanding(t, host)
		})
	}
}

// An uploaded client is run by sudo too. That who may write to its folder is root by then, the administrator has decided.
func TestSudoOfAnUploadedClientBySSHD(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "sudo", "sudo")
	s := testserver.SSHD(t, testserver.SSHDOptions{Setup: `echo "monitor ALL=(root) NOPASSWD: $PWD/home/.cache/muster/muster-client-*" ` +
		`>/etc/sudoers.d/muster; chmod 440 /etc/sudoers.d/muster`})
	host := sshdHost(t, s)
	host.Sudo = true
	checkReal(t, host)
}

// sudoRules let some commands run, and some not.
const sudoRules = `cat >/etc/sudoers.d/muster <<'END'
monitor ALL=(root) NOPASSWD: /usr/local/none, /usr/local/foreign, /usr/local/tty
monitor ALL=(root) PASSWD: /usr/local/ask
Defaults!/usr/local/tty requiretty
END
chmod 440 /etc/sudoers.d/muster
for name in tty ask; do ln ` + standing + ` /usr/local/$name; done
printf '` + foreign + `' >/usr/local/foreign; chmod 755 /usr/local/foreign
`

func TestSudoRefuses(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "sudo", "sudo")
	s := testserver.SSHD(t, testserver.SSHDOptions{Setup: installed(t, sudoRules)})
	for client, c := range map[string]struct {
		kind  failure.Kind
		words []string
	}{
		standing:             {failure.SudoRefused, []string{"sudo did not run", "password is required", "/etc/sudoers.d"}},
		"/usr/local/ask":     {failure.SudoRefused, []string{"password is required", "/etc/sudoers.d"}},
		"/usr/local/tty":     {failure.SudoRefused, []string{"must have a tty", "!requiretty"}},
		"/usr/local/none":    {failure.ClientMissing, []string{"command not found", "docs/least-rights.md"}},
		"/usr/local/foreign": {failure.WrongPlatform, []string{"not for this platform", "muster client"}},
	} {
		host := standingHost(t, s)
		host.Client, host.Sudo = client, true
		wantFailure(t, visit.New(visit.Options{}).Visit(t.Context(), host, sweep), failure.Run, c.kind, c.words...)
	}
}

func TestSudoThatCannotWork(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "sudo", "sudo")
	for setup, words := range map[string][]string{
		"chmod 666 /etc/sudoers": {"writable", "visudo"},
		"mount --bind /usr/bin /usr/bin; mount -o remount,bind,nosuid /usr/bin": {"nosuid", "NoNewPrivileges"},
	} {
		s := testserver.SSHD(t, testserver.SSHDOptions{Setup: installed(t, mayRunAsRoot, setup)})
		host := standingHost(t, s)
		host.Sudo = true
		v := visit.New(visit.Options{}).Visit(t.Context(), host, sweep)
		wantFailure(t, v, failure.Run, failure.SudoRefused, words...)
	}
}

// The refusal of sudo says nothing about where an uploaded client is: it is not deployed anew because of that.
func TestSudoRefusesAnUploadedClient(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "sudo", "sudo")
	s := testserver.SSHD(t, testserver.SSHDOptions{Setup: "true"})
	host := sshdHost(t, s)
	visitor := visit.New(visit.Options{Clients: deploytest.Clients(t)})
	wantReport(t, visitor.Visit(t.Context(), host, sweep))
	host.Sudo = true
	for range 2 {
		v := visitor.Visit(t.Context(), host, sweep)
		wantFailure(t, v, failure.Run, failure.SudoRefused, "password is required")
		if v.Uploaded || strings.Count(stages(v), "deploy") > 1 {
			t.Errorf("uploaded: %v, stages %s", v.Uploaded, stages(v))
		}
	}
}

// processes returns how many processes on this machine have these words on their command line.
func processes(t *testing.T, words string) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	return len(slices.DeleteFunc(lines, func(path string) bool {
		line, err := os.ReadFile(path) // of a process that may have ended meanwhile
		return err != nil || !bytes.Contains(line, []byte(words))
	}))
}

// awaitProcesses waits until there are some with these words, or none any more: a foreign process gives no signal.
func awaitProcesses(t *testing.T, words string, some bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); (processes(t, words) > 0) != some; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("processes with %s: %d, want some: %v", words, processes(t, words), some)
		}
	}
}

// No client is left behind, one that root runs for us no more than any: it ends with its input, which every server closes
// when the connection is lost, and sudo passes on.
func TestNothingIsLeftWhenTheConnectionIsLost(t *testing.T) {
	testserver.Need(t, "sudo", "sudo")
	const sudo = "sudo -n -- "
	for name, c := range map[string]struct {
		start  func(t *testing.T, setup string) *testserver.Sshd
		setup  string
		prefix string
	}{
		"OpenSSH with use_pty":    {openSSH, "", sudo},
		"OpenSSH without use_pty": {openSSH, noPty, sudo},
		"OpenSSH":                 {openSSH, "", ""},
		"Dropbear": {
			func(t *testing.T, setup string) *testserver.Sshd {
				return testserver.Dropbear(t, testserver.SmallOptions{Setup: setup})
			}, "", sudo,
		},
		"TinySSH": {
			func(t *testing.T, setup string) *testserver.Sshd {
				return testserver.TinySSHD(t, testserver.SmallOptions{Setup: setup})
			}, "", sudo,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := "/usr/local/" + strings.ToLower(newName(t))
			s := c.start(t, installed(t, c.setup, "cp "+standing+" "+own,
				"echo 'monitor ALL=(root) NOPASSWD: "+own+"' >/etc/sudoers.d/m", "chmod 440 /etc/sudoers.d/m"))
			host := sshdHost(t, s)
			conn, err := remote.Dial(t.Context(), remote.Options{
				Host: "h", Address: s.Address, Port: s.Port, User: s.User, Signers: host.Signers, HostKeys: host.HostKeys,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			process, err := conn.Start(context.Background(), c.prefix+own)
			if err != nil {
				t.Fatal(err)
			}
			request := report.Request{Visit: "v", Host: "h", Deadline: time.Hour, Sample: time.Hour}
			line, err := request.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := process.Stdin.Write(append(line, '\n')); err != nil {
				t.Fatal(err)
			}
			awaitProcesses(t, own, true)
			_ = conn.Close()
			awaitProcesses(t, own, false)
		})
	}
}

func openSSH(t *testing.T, setup string) *testserver.Sshd {
	return testserver.SSHD(t, testserver.SSHDOptions{Setup: setup})
}

// newName returns a name that no other test has.
func newName(t *testing.T) string {
	t.Helper()
	return "client-" + strings.ReplaceAll(strings.TrimPrefix(t.TempDir(), "/"), "/", "-")
}
