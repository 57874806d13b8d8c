package visit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// standing is where the client is installed on a host that has one.
const standing = "/usr/local/libexec/muster-client"

const (
	mayRunAsRoot = `echo 'monitor ALL=(root) NOPASSWD: ` + standing + ` ""' >/etc/sudoers.d/muster; chmod 440 /etc/sudoers.d/muster
`
	noPty = "echo 'Defaults !use_pty' >/etc/sudoers.d/pty; chmod 440 /etc/sudoers.d/pty\n"
)

// realClient writes the real client into a folder of the test's own, and returns where.
func realClient(t *testing.T) string {
	t.Helper()
	program, err := deploytest.Clients(t).Program(deploytest.Native())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(file, program, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// installed returns the setup of a host on which the real client is installed, and what else is to be done there.
func installed(t *testing.T, more ...string) string {
	t.Helper()
	return "install -D -m 755 " + realClient(t) + " " + standing + "\n" + strings.Join(more, "\n") + "\n"
}

// standingHost is a host of sshd on which the client is installed.
func standingHost(t *testing.T, s *testserver.Sshd) visit.Host {
	t.Helper()
	host := sshdHost(t, s)
	host.Client = standing
	return host
}

const standingStages = "dial handshake authentication run receive open decode"

// wantStanding visits a host whose client is installed, twice: nothing is to be learnt or uploaded by either visit.
func wantStanding(t *testing.T, host visit.Host) {
	t.Helper()
	visitor := visit.New(visit.Options{}) // it has no clients to upload
	for range 2 {
		v := visitor.Visit(t.Context(), host, sweep)
		wantReport(t, v)
		if v.Uploaded || stages(v) != standingStages {
			t.Errorf("uploaded: %v, stages %s", v.Uploaded, stages(v))
		}
		if _, ok := value(v.Report, "uptime"); !ok || v.Report.Client != deploytest.Version {
			t.Errorf("got %+v", v.Report)
		}
	}
}

// A client that is installed is run as it is named: nothing else is asked of the host, by a command or by SFTP.
func TestInstalledClientIsAllThatRuns(t *testing.T) {
	for name, want := range map[string]string{
		standing:                           standing,
		"/opt/it's here/client":            `'/opt/it'\''s here/client'`,
		`C:\ProgramData\muster\client.exe`: `C:\ProgramData\muster\client.exe`,
		`C:/ProgramData/muster/client.exe`: `C:/ProgramData/muster/client.exe`,
	} {
		var commands []string
		f := newFake(t, func(o *sshtest.Options) {
			o.Refuse = sshtest.Refuse("sftp")
			o.Exec = counted(&commands, reporting(nil))
		})
		host := f.host(t)
		host.Client = name
		visitor := f.visitor()
		for range 2 {
			wantReport(t, visitor.Visit(t.Context(), host, sweep))
		}
		if got := strings.Join(commands, "|"); got != want+"|"+want {
			t.Errorf("%s: %q ran", name, got)
		}
	}
}

func TestImpossibleRights(t *testing.T) {
	for name, change := range map[string]func(*visit.Host){
		"whole path":         func(h *visit.Host) { h.Client = "muster-client" },
		"of a program":       func(h *visit.Host) { h.Client = "/usr/local/" },
		"control characters": func(h *visit.Host) { h.Client = "/usr/a\nb" },
		"on Windows":         func(h *visit.Host) { h.Client = `C:\Program Files\client.exe` },
		"writes no file":     func(h *visit.Host) { h.Client, h.Transfer = standing, visit.File },
		"would be root's":    func(h *visit.Host) { h.Sudo, h.Transfer = true, visit.File },
	} {
		f := newFake(t, nil)
		host := f.host(t)
		change(&host)
		wantFailure(t, f.visitor().Visit(t.Context(), host, sweep), failure.Run, failure.Configuration, name)
		if ran := f.ran(); len(ran) > 0 {
			t.Errorf("%s: %q ran", name, ran)
		}
		f.wantNoConnection(t)
	}
}

// A key with a forced command runs that, whatever is asked for; one without runs what is asked for.
func TestInstalledClientBySSHD(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "sudo", "sudo")
	s := testserver.SSHD(t, testserver.SSHDOptions{NoSFTP: true, Setup: installed(t, mayRunAsRoot)})
	for options, change := range map[string]func(*visit.Host){
		"":                                    func(*visit.Host) {},
		"restrict":                            func(*visit.Host) {},
		`restrict,command="` + standing + `"`: func(h *visit.Host) { h.Client = "/not/there" },
		`restrict,command="sudo -n -- ` + standing + `"`: func(h *visit.Host) { h.Client = "/not/there" },
		`command="` + standing + `"`:                     func(h *visit.Host) { h.Sudo = true },
		`restrict,pty`:                                   func(h *visit.Host) { h.Sudo = true },
	} {
		s.Restrict(t, options)
		host := standingHost(t, s)
		change(&host)
		wantStanding(t, host)
	}
}

// Each shell has its own words for what it does not run, be it the client or sudo.
func TestInstalledClientByShells(t *testing.T) {
	for _, shell := range everyShell(t) {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			t.Parallel()
			s := testserver.SSHD(t, testserver.SSHDOptions{Shell: shell, Config: []string{"SetEnv PATH=/nowhere"}, Setup: installed(t,
				"install -m 644 "+standing+" /usr/local/plain", "printf '"+foreign+"' >/usr/local/foreign",
				"chmod 755 /usr/local/foreign", "ln -s "+standing+" '/usr/local/it'\\''s odd!'")})
			host := standingHost(t, s)
			host.Client = "/usr/local/it's odd!"
			wantStanding(t, host)
			visitor := visit.New(visit.Options{})
			for client, want := range map[string]failure.Kind{
				"/usr/local/none": failure.ClientMissing, "/usr/local/plain": failure.NoExec, "/usr/local/foreign": failure.WrongPlatform,
			} {
				host.Client = client
				v := visitor.Visit(t.Context(), host, sweep)
				wantFailure(t, v, failure.Run, want, "install")
			}
			host.Sudo = true
			v := visitor.Visit(t.Context(), host, sweep)
			wantFailure(t, v, failure.Run, failure.SudoRefused, "there is no sudo", "install sudo")
		})
	}
}

// foreign begins as a program of Linux for another processor (s390x) does, in the words of printf.
const foreign = `\177ELF\002\002\001\000\000\000\000\000\000\000\000\000\000\002\000\026\000\000\000\001(((\n`

// everyShell returns the login shells that users have.
func everyShell(t *testing.T) []string {
	t.Helper()
	return []string{
		"/bin/sh", testserver.Need(t, "bash", "bash"), testserver.Need(t, "tcsh", "tcsh"), testserver.Need(t, "fish", "fish"),
		ash(t),
	}
}

// ash returns busybox under the name by which it is a shell.
func ash(t *testing.T) string {
	t.Helper()
	busybox := testserver.Need(t, "busybox", "busybox")
	folder, err := os.MkdirTemp("", "ash") // not a test's own, into which another user does not get
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(folder, "ash")
	if err := os.Symlink(busybox, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// What is wrong with a forced command is seen in what comes in a report's place, and told apart.
func TestForcedCommandOfSomethingElse(t *testing.T) {
	t.Parallel()
	old := `printf '#!/bin/sh\nread line; echo "time=x level=ERROR msg=\\"no report\\" err=\\"bad request: ?\\"" >&2; exit 2\n' ` +
		`>/usr/local/old; chmod 755 /usr/local/old`
	s := testserver.SSHD(t, testserver.SSHDOptions{Setup: installed(t, old)})
	visitor := visit.New(visit.Options{})
	for _, c := range []struct {
		forced string
		kind   failure.Kind
		words  []string
	}{
		{"/usr/local/none", failure.ClientMissing, []string{"not where it should be", "/usr/local/none", "docs/least-rights.md"}},
		{"/usr/local/old", failure.ClientOld, []string{"does not understand", "muster client"}},
		{"echo hello", failure.NoReport, []string{"hello", "command=", "authorized_keys"}},
		{"echo oh no; exit 4", failure.NoReport, []string{"oh no", "exit status 4", "authorized_keys"}},
		{"exit 3", failure.ClientFailed, []string{"exit status 3"}},
		{"kill -9 $$", failure.ClientCrashed, []string{"KILL"}},
		{"cat; sleep 100", failure.Timeout, []string{"authorized_keys"}},
		{"sh -v", failure.Timeout, []string{"authorized_keys"}},
		{"sleep 100", failure.Timeout, []string{"gives it longer"}},
	} {
		s.Restrict(t, `restrict,command="`+c.forced+`"`)
		host := standingHost(t, s)
		echoes := c.forced == "sh -v" || c.forced == "cat; sleep 100"
		var v *visit.Visit
		if c.kind == failure.Timeout {
			var limit time.Duration
			v, limit = longer(func(limit time.Duration) *visit.Visit {
				host.Deadlines.Run = limit
				return visitor.Visit(t.Context(), host, sweep)
			}, func(v *visit.Visit) bool { return !echoes || v.Log != "" })
			c.words = append(c.words, "within "+limit.String())
		} else {
			v = visitor.Visit(t.Context(), host, sweep)
		}
		wantFailure(t, v, failure.Run, c.kind, c.words...)
		// Some repeat what they are sent: the key of the report is in that.
		if all := v.Log + v.Failure.Error(); strings.Contains(all, "PHJl") {
			t.Errorf("%s: the request is in %q", c.forced, all)
		}
		if echoes && v.Log != "(request)" {
			t.Errorf("the log is %q", v.Log)
		}
	}
}

func TestInstalledClientWhereNobodyLogsIn(t *testing.T) {
	t.Parallel()
	nologin := testserver.Need(t, "nologin", "login")
	s := testserver.SSHD(t, testserver.SSHDOptions{Shell: nologin, Setup: installed(t)})
	v := visit.New(visit.Options{}).Visit(t.Context(), standingHost(t, s), sweep)
	wantFailure(t, v, failure.Run, failure.NoReport, "not available", "shell runs commands")
}

// Another client, or another who runs it, is another host: what was learnt of it before says nothing about it.
func TestMemoryOfRights(t *testing.T) {
	var commands []string
	counter := &counting{clock: &clock{}, received: 1, uptime: 100}
	f := newFake(t, func(o *sshtest.Options) { o.Exec = counted(&commands, counter.client()) })
	visitor := visit.New(visit.Options{Clients: f.clients})
	host := f.host(t)
	host.Client = standing
	for _, change := range []func(){
		func() {}, func() { host.Sudo = true }, func() { host.Client = "/opt/client" }, func() { host.Sudo = false },
	} {
		change()
		for _, first := range []bool{true, false} {
			v := visitor.Visit(t.Context(), host, sweep)
			wantReport(t, v)
			v.Acknowledge()
			if request := counter.requests[len(counter.requests)-1]; (request.Sample > 0) != first {
				t.Errorf("%s, sudo %v: first %v, and a sample of %s", host.Client, host.Sudo, first, request.Sample)
			}
		}
	}
	want := []string{standing, "sudo -n -- " + standing, "sudo -n -- /opt/client", "/opt/client"}
	for n, command := range commands {
		if command != want[n/2] {
			t.Errorf("visit %d ran %q, want %q", n, command, want[n/2])
		}
	}
}
