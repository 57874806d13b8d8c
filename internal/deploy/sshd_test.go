package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/testserver"
)

// dial logs in to OpenSSH's sshd as its ordinary user, who exists only where the server has a home of its own.
func dial(t *testing.T, s *testserver.Sshd) *remote.Conn {
	t.Helper()
	s.NeedPassword(t)
	key, err := remote.LoadKey(s.KeyFile, "")
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

// What users have for a shell must not matter, and no more whether there is SFTP.
func TestInstallBySSHD(t *testing.T) {
	shells := []string{
		"/bin/sh", testserver.Need(t, "bash", "bash"), testserver.Need(t, "tcsh", "tcsh"), testserver.Need(t, "fish", "fish"),
		ash(t),
	}
	if zsh, err := exec.LookPath("zsh"); err == nil {
		shells = append(shells, zsh)
	}
	for _, shell := range shells {
		for name, without := range map[string]bool{"": false, " without SFTP": true} {
			t.Run(filepath.Base(shell)+name, func(t *testing.T) {
				t.Parallel()
				s := testserver.SSHD(t, testserver.SSHDOptions{Shell: shell, NoSFTP: without})
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

func TestInstallRaceBySSHD(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	clients := deploytest.Clients(t)
	installAtOnce(t, clients, dial(t, s), dial(t, s), dial(t, s))
	program, err := clients.Program(deploytest.Native())
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, filepath.Join(s.Home, ".cache/muster")); !slices.Equal(got, []string{nameOf(string(program))}) {
		t.Errorf("the folder holds %q, want the client alone", got)
	}
}

// openFor makes a sticky folder of everybody that the user can reach, and returns the name of the user's own folder in it.
func openFor(t *testing.T, s *testserver.Sshd) (folder, own string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "open")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return folder, filepath.Join(folder, "muster-"+userOf(t, s))
}

// userOf returns the number of the user whom sshd lets in.
func userOf(t *testing.T, s *testserver.Sshd) string {
	t.Helper()
	printed, err := dial(t, s).Output(t.Context(), "id -u", nil)
	if err != nil || printed.Status != 0 {
		t.Fatalf("%q, %v", printed.Stderr, err)
	}
	return strings.TrimSpace(string(printed.Stdout))
}

// OpenSSH resolves links in what it makes of a path, so that a link itself is not to be seen in that. Here one leads to a
// folder that is the user's, and safe: the stranger whose link it is would lead it elsewhere afterwards.
func TestInstallRefusesAStrangersLinkBySSHD(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	conn := dial(t, s)
	for name, directory := range map[string]func(folder, own string) string{
		"for the user's own folder": func(folder, _ string) string { return folder },
		"itself":                    func(_, own string) string { return own },
		"on the way":                func(_, own string) string { return filepath.Join(own, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			folder, own := openFor(t, s)
			if err := os.Symlink(s.Home, own); err != nil {
				t.Fatal(err)
			}
			if err := os.Lchown(own, 54321, 54321); err != nil {
				t.Fatal(err)
			}
			clients := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): script("1.0")})
			got, err := clients.Install(t.Context(), conn, deploytest.Native(), directory(folder, own))
			if err == nil {
				t.Fatalf("installed as %+v", got)
			}
			wantFailure(t, err, failure.Deploy, failure.PermissionDenied, own+" belongs to user 54321")
			if left := files(t, s.Home); slices.Contains(left, nameOf(script("1.0"))) {
				t.Errorf("the client is behind the link: %q", left)
			}
		})
	}
}

// The user's own link is followed once, and what it led to is used: where it leads later does not matter.
func TestInstallThroughALinkBySSHD(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	conn := dial(t, s)
	folder, own := openFor(t, s)
	made, err := conn.Output(t.Context(), "mkdir real && ln -s \"$PWD/real\" "+own, nil)
	if err != nil || made.Status != 0 {
		t.Fatalf("%q, %v", made.Stderr, err)
	}
	clients := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): script("1.0")})
	for _, uploaded := range []bool{true, false} {
		got, err := clients.Install(t.Context(), conn, deploytest.Native(), folder)
		if err != nil {
			t.Fatal(err)
		}
		want := filepath.Join(s.Home, "real")
		if got.Directory != want || filepath.Dir(got.Command) != want || got.Uploaded != uploaded {
			t.Errorf("got %+v, want it in %s, uploaded: %v", got, want, uploaded)
		}
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
