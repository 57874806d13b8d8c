package visit_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// Dropbear runs any number of sessions, but has SFTP only where OpenSSH's server for it is installed. It is met on routers and
// small devices, whose shell is busybox.
func TestDropbear(t *testing.T) {
	for name, c := range map[string]struct {
		options   testserver.SmallOptions
		transfers []visit.Transfer
	}{
		"with SFTP":    {testserver.SmallOptions{SFTP: true}, []visit.Transfer{visit.Stdout, visit.File}},
		"without SFTP": {testserver.SmallOptions{}, []visit.Transfer{visit.Stdout}},
		"of a router": {
			testserver.SmallOptions{Shell: "/usr/local/ash", Setup: "ln -s " + testserver.Need(t, "busybox", "busybox") +
				" /usr/local/ash; echo /usr/local/ash >>/etc/shells\n"},
			[]visit.Transfer{visit.Stdout},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testserver.Dropbear(t, c.options)
			for _, transfer := range c.transfers {
				host := sshdHost(t, s)
				host.Transfer = transfer
				host.Directory = "for " + string(transfer)
				checkReal(t, host)
				left, err := os.ReadDir(filepath.Join(s.Home, host.Directory))
				if err != nil || len(left) != 1 {
					t.Errorf("the client's folder holds %v, %v", left, err)
				}
			}
		})
	}
}

func TestDropbearFails(t *testing.T) {
	t.Parallel()
	s := testserver.Dropbear(t, testserver.SmallOptions{Setup: installed(t)})
	visitor := visit.New(visit.Options{Clients: deploytest.Clients(t)})
	host := sshdHost(t, s)
	host.Transfer = visit.File
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.NoSFTP, "transfer=")

	host = sshdHost(t, s)
	host.Signers, host.Password = nil, "wrong"
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Authentication, failure.LoginFailed)

	host = standingHost(t, s)
	host.Client = "/usr/local/none"
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.ClientMissing)

	s.Restrict(t, `command="sleep 1000"`)
	host = standingHost(t, s)
	host.Deadlines.Run = 500 * time.Millisecond
	wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.Timeout)

	s.Restrict(t, `no-port-forwarding,no-pty,command="`+standing+`"`)
	host.Client, host.Deadlines = "/not/there", generous()
	wantStanding(t, host)
}

// TinySSH runs one session a connection: enough for a client that is installed, and for no other.
func TestTinySSH(t *testing.T) {
	for name, sftp := range map[string]bool{"with SFTP": true, "without SFTP": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testserver.TinySSHD(t, testserver.SmallOptions{SFTP: sftp, Setup: installed(t)})
			wantStanding(t, standingHost(t, s))
			visitor := visit.New(visit.Options{Clients: deploytest.Clients(t)})
			for range 5 {
				v := visitor.Visit(t.Context(), sshdHost(t, s), sweep)
				wantFailure(t, v, failure.Deploy, failure.OneSession, "one session", "installed:")
			}
			host := standingHost(t, s)
			host.Client = "/usr/local/none"
			wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Run, failure.ClientMissing)
			host = standingHost(t, s)
			host.Signers, host.Password = nil, "a password"
			wantFailure(t, visitor.Visit(t.Context(), host, sweep), failure.Authentication, failure.LoginFailed, "publickey")
			left, err := os.ReadDir(s.Home)
			if err != nil || len(left) != 1 {
				t.Errorf("the home holds %v, %v", left, err)
			}
		})
	}
}
