package visit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// value returns a statistic of a report, and whether it is there.
func value(r *report.Report, name string) (float64, bool) {
	for _, s := range r.Statistics {
		if s.Name == name {
			return s.Value, true
		}
	}
	return 0, false
}

func stages(v *visit.Visit) string {
	var names []string
	for _, timing := range v.Stages {
		names = append(names, string(timing.Stage))
	}
	return strings.Join(names, " ")
}

const (
	coldStages = "dial handshake authentication platform deploy run receive open decode"
	warmStages = "dial handshake authentication run receive open decode"
)

// checkReal visits a host twice with the real client: the first time everything is to be learnt, the second time nothing.
func checkReal(t *testing.T, host visit.Host) {
	t.Helper()
	visitor := visit.New(visit.Options{Clients: deploytest.Clients(t)})
	first := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, first)
	if !first.Uploaded || stages(first) != coldStages {
		t.Errorf("the first visit: uploaded %v, stages %s", first.Uploaded, stages(first))
	}
	second := visitor.Visit(t.Context(), host, sweep)
	wantReport(t, second)
	if second.Uploaded || stages(second) != warmStages {
		t.Errorf("the second visit: uploaded %v, stages %s", second.Uploaded, stages(second))
	}
	for n, v := range []*visit.Visit{first, second} {
		if v.Report.Client != deploytest.Version || v.Report.Visit != v.ID || v.Report.Host != host.Name {
			t.Errorf("visit %d: client %s, visit %s, host %s", n, v.Report.Client, v.Report.Visit, v.Report.Host)
		}
		for _, name := range []string{"cpu.usage", "memory.usage", "uptime"} {
			if _, ok := value(v.Report, name); !ok {
				t.Errorf("visit %d: there is no %s in %d statistics", n, name, len(v.Report.Statistics))
			}
		}
		if v.Sent <= 0 || v.Received <= 0 || v.Took <= 0 || !v.Sweep.Equal(sweep) {
			t.Errorf("visit %d: sent %d, received %d, took %s, sweep %s", n, v.Sent, v.Received, v.Took, v.Sweep)
		}
	}
	if first.Sent < second.Sent*10 {
		t.Errorf("the visit that uploaded sent %d bytes, the other %d", first.Sent, second.Sent)
	}
	if first.ID == second.ID || first.ID > second.ID || !regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{26}$`).MatchString(first.ID) {
		t.Errorf("the ids are %q and %q", first.ID, second.ID)
	}
}

func TestRealClient(t *testing.T) {
	for _, transfer := range []visit.Transfer{visit.Stdout, visit.File} {
		t.Run(string(transfer), func(t *testing.T) {
			f := newFake(t, nil)
			host := f.host(t)
			host.Transfer = transfer
			checkReal(t, host)
			f.wantNothingLeft(t)
		})
	}
}

func TestRealClientBySSHD(t *testing.T) {
	for _, transfer := range []visit.Transfer{visit.Stdout, visit.File} {
		for _, shell := range []string{"/bin/sh", "/bin/bash"} {
			t.Run(string(transfer)+filepath.Base(shell), func(t *testing.T) {
				s := testserver.SSHD(t, testserver.SSHDOptions{Shell: shell})
				host := sshdHost(t, s)
				host.Transfer = transfer
				checkReal(t, host)
				left, err := os.ReadDir(filepath.Join(s.Home, ".cache/muster"))
				if err != nil || len(left) != 1 {
					t.Errorf("the client's folder holds %v, %v", left, err)
				}
			})
		}
	}
}

// A login script that prints is what most breaks tools of this kind.
func TestNoiseBySSHD(t *testing.T) {
	bash := testserver.Need(t, "bash", "bash") // it reads a script before every command
	s := testserver.SSHD(t, testserver.SSHDOptions{Shell: bash})
	host := sshdHost(t, s)
	// sshd's own SFTP server is started by the shell, and is disturbed by what the script prints: as with OpenSSH's sftp.
	script := "case $BASH_EXECUTION_STRING in *sftp*) ;; *) printf 'You are being watched!\\n\\033[5mLinux is great';; esac\n"
	if err := os.WriteFile(filepath.Join(s.Home, ".bashrc"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	v := visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), host, sweep)
	wantReport(t, v)
	if !strings.Contains(v.Log, `You are being watched!`) || !strings.Contains(v.Log, `\x1b[5m`) {
		t.Errorf("the log is %q", v.Log)
	}
}

func TestNoShellBySSHD(t *testing.T) {
	nologin := testserver.Need(t, "nologin", "login")
	s := testserver.SSHD(t, testserver.SSHDOptions{Shell: nologin, Config: []string{"Subsystem sftp internal-sftp"}})
	v := visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), sshdHost(t, s), sweep)
	wantFailure(t, v, failure.Platform, failure.NoShell, "not available", "give the user a shell")
}

// Without SFTP a client can be installed and run; a report that lies in a file can't be fetched, and is not written.
func TestNoSFTPBySSHD(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{NoSFTP: true})
	v := visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), sshdHost(t, s), sweep)
	wantReport(t, v)
	host := sshdHost(t, s)
	host.Transfer = visit.File
	v = visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), host, sweep)
	wantFailure(t, v, failure.Run, failure.NoSFTP, "transfer=")
	left, err := os.ReadDir(filepath.Join(s.Home, ".cache/muster"))
	if err != nil || len(left) != 1 {
		t.Errorf("the client's folder holds %v, %v", left, err)
	}
}
