package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/remote"
	"muster/internal/testserver"
)

// dial logs in to OpenSSH's sshd as its ordinary user, who exists only where the server has a home of its own.
func dial(t *testing.T, s *testserver.Sshd) *remote.Conn {
	t.Helper()
	s.NeedPassword(t)
	key, err := remote.LoadKey(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	known, err := remote.LoadHostKeys(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := remote.Dial(t.Context(), remote.Options{
		Host: "h", Address: s.Address, Port: s.Port, User: s.User, Signers: []ssh.Signer{key}, HostKeys: known,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// What users have for a shell must not matter: each that this machine has is tried, and sh is always there.
func TestInstallBySSHD(t *testing.T) {
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/bin/zsh", "/bin/tcsh", "/usr/bin/fish"} {
		if _, err := exec.LookPath(shell); err != nil && shell != "/bin/sh" {
			continue
		}
		t.Run(filepath.Base(shell), func(t *testing.T) {
			s := testserver.SSHD(t, testserver.SSHDOptions{Shell: shell})
			conn := dial(t, s)
			platform, err := deploy.Detect(t.Context(), conn)
			if err != nil || platform != deploytest.Native() {
				t.Fatalf("the platform is %s, %v", platform, err)
			}
			clients := deploytest.Clients(t)
			for _, directory := range []string{"", `it's a\n odd! "folder" $HOME`} {
				for _, uploaded := range []bool{true, false} {
					got, err := clients.Install(t.Context(), conn, platform, directory)
					if err != nil {
						t.Fatal(err)
					}
					if want := filepath.Join(s.Home, directory); got.Uploaded != uploaded || !strings.HasPrefix(got.Directory, want) {
						t.Errorf("got %+v, want it in %s, uploaded: %v", got, want, uploaded)
					}
				}
			}
		})
	}
}

func TestInstallRaceBySSHD(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	clients := deploytest.Clients(t)
	conns := []*remote.Conn{dial(t, s), dial(t, s), dial(t, s)}
	var visits sync.WaitGroup
	for _, conn := range conns {
		visits.Go(func() {
			if _, err := clients.Install(t.Context(), conn, deploytest.Native(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	visits.Wait()
	program, err := clients.Program(deploytest.Native())
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, filepath.Join(s.Home, ".cache/muster")); !slices.Equal(got, []string{nameOf(string(program))}) {
		t.Errorf("the folder holds %q, want the client alone", got)
	}
}

// A home that the user may not write to is no obstacle.
func TestInstallWhereTheHomeIsRootsBySSHD(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	conn := dial(t, s)
	if err := os.Chown(s.Home, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Home, 0o755); err != nil {
		t.Fatal(err)
	}
	clients := deploytest.Set(t, "roots home", map[deploy.Platform]string{deploytest.Native(): script("roots home")})
	got, err := clients.Install(t.Context(), conn, deploytest.Native(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Remove(got.Command)
		_ = os.Remove(got.Directory)
	})
	if strings.HasPrefix(got.Directory, s.Home) {
		t.Errorf("installed in %s, which is not the user's", got.Directory)
	}
	if info, err := os.Stat(got.Directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v, %v", info.Mode(), err)
	}
}
