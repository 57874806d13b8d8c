package deploy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/sftp"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

const stranger = 54321 // a user who is not us

// needRoot skips a test that only root can do, or fails it where nothing may be skipped.
func needRoot(t *testing.T, err error) {
	t.Helper()
	if err == nil && os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this needs root and the right to mount: %v", err)
	}
	t.Skipf("this needs root and the right to mount: %v", err)
}

// mount mounts an empty file system for the test.
func mount(t *testing.T, folder string, flags uintptr, options string) {
	t.Helper()
	needRoot(t, nil)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("muster-test", folder, "tmpfs", flags, options)
	if errors.Is(err, syscall.EPERM) {
		needRoot(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// leaveNoTrace removes at the end what a test leaves in a folder that the machine shares.
func leaveNoTrace(t *testing.T, installed deploy.Installed) {
	t.Cleanup(func() {
		_ = os.Remove(installed.Command)
		_ = os.Remove(installed.Directory) // unless there is something else in it
	})
}

// newHostIn starts a server whose home is made by the test.
func newHostIn(t *testing.T, home string) *host {
	t.Helper()
	h := newHost(t, func(o *sshtest.Options) { o.Home = home })
	h.home = home
	return h
}

func TestInstallWhereTheHomeIsNoexec(t *testing.T) {
	home := t.TempDir()
	mount(t, home, syscall.MS_NOEXEC, "mode=755")
	h := newHostIn(t, home)
	clients := scripts(t, "noexec home")
	got := install(t, h, clients, "")
	leaveNoTrace(t, got)
	if want := "/var/tmp/muster-" + strconv.Itoa(os.Geteuid()); got.Directory != want {
		t.Errorf("installed in %s, want %s", got.Directory, want)
	}
	if _, err := os.Stat(h.cache()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder stays in the home, where nothing runs: %v", err)
	}

	// A server that knows nothing of this does not try the home again.
	if again := install(t, h, clients, ""); again.Uploaded || again.Directory != got.Directory {
		t.Errorf("the second time: got %+v, want the client of the first", again)
	}
	if left := files(t, h.cache()); len(left) != 0 {
		t.Errorf("%q stays in the home", left)
	}
}

func TestInstallWhereTheHomeIsReadOnly(t *testing.T) {
	home := t.TempDir()
	mount(t, home, syscall.MS_RDONLY, "mode=755")
	h := newHostIn(t, home)
	got := install(t, h, scripts(t, "read-only home"), "")
	leaveNoTrace(t, got)
	if strings.HasPrefix(got.Directory, home) {
		t.Errorf("installed in %s, which is read-only", got.Directory)
	}
}

func TestInstallWhereNothingMayRun(t *testing.T) {
	home := t.TempDir()
	mount(t, home, syscall.MS_NOEXEC, "mode=755")
	h := newHostIn(t, home)
	_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), "here")
	wantFailure(t, err, failure.Deploy, failure.NoExec, home+"/here", "exit status 126", "directory=")
	if left := files(t, home+"/here"); len(left) != 0 {
		t.Errorf("%q stays on the host", left)
	}
}

func TestInstallOnAFullDisk(t *testing.T) {
	for name, change := range map[string]func(*sshtest.Options){"with SFTP": func(*sshtest.Options) {}, "without SFTP": noSFTP} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			mount(t, home, 0, "mode=755,size=64k")
			h := newHost(t, func(o *sshtest.Options) { o.Home = home; change(o) })
			large := deploytest.Set(t, "1.0", map[deploy.Platform]string{
				deploytest.Native(): script("1.0") + strings.Repeat("# a comment\n", 20_000),
			})
			_, err := large.Install(t.Context(), h.conn, deploytest.Native(), "here")
			wantFailure(t, err, failure.Deploy, failure.DiskFull, home+"/here")
			if left := files(t, home+"/here"); len(left) != 0 {
				t.Errorf("%q stays on the host", left)
			}
		})
	}
}

// Without SFTP the folders are the same, and for the same reasons.
func TestInstallWithoutSFTPWhereTheHomeIsNoUse(t *testing.T) {
	for name, flags := range map[string]uintptr{"noexec": syscall.MS_NOEXEC, "read-only": syscall.MS_RDONLY} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			mount(t, home, flags, "mode=755")
			h := newHost(t, func(o *sshtest.Options) { o.Home = home; noSFTP(o) })
			got := install(t, h, scripts(t, name+" home without SFTP"), "")
			leaveNoTrace(t, got)
			if want := "/var/tmp/muster-" + strconv.Itoa(os.Geteuid()); got.Directory != want {
				t.Errorf("installed in %s, want %s", got.Directory, want)
			}
			if left := files(t, home); len(left) != 0 && len(files(t, h.cache())) != 0 {
				t.Errorf("%q stays in the home", left)
			}
		})
	}
}

// open makes a folder that everybody may write to.
func open(t *testing.T, mode os.FileMode) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, mode); err != nil {
		t.Fatal(err)
	}
	return folder
}

// own is the folder that this user has in one that everybody may write to.
func own(folder string) string { return filepath.Join(folder, "muster-"+strconv.Itoa(os.Geteuid())) }

func TestInstallInAFolderOfEverybody(t *testing.T) {
	folder := open(t, 0o777|os.ModeSticky)
	h := newHost(t, nil)
	clients := scripts(t, "1.0")
	for _, uploaded := range []bool{true, false} {
		got := install(t, h, clients, folder)
		if got.Directory != own(folder) || got.Uploaded != uploaded {
			t.Errorf("got %+v, want it in %s, uploaded: %v", got, own(folder), uploaded)
		}
	}
	if info, err := os.Stat(own(folder)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v, %v", info.Mode(), err)
	}
}

// Whoever can write to a folder on the way can put a program of his own where ours is looked for.
func TestInstallRefusesWhatOthersCanTamperWith(t *testing.T) {
	program := script("1.0")
	// plant puts the right name with the right length into a folder, as somebody would who hopes that it is run.
	plant := func(t *testing.T, folder string) {
		t.Helper()
		evil := "#!/bin/sh\necho 1.0\n"
		evil += strings.Repeat("\n", len(program)-len(evil))
		if err := os.WriteFile(filepath.Join(folder, nameOf(program)), []byte(evil), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	give := func(t *testing.T, path string) {
		t.Helper()
		needRoot(t, nil)
		if err := os.Lchown(path, stranger, stranger); err != nil {
			t.Fatal(err)
		}
	}
	for name, prepare := range map[string]func(t *testing.T) (directory string){
		"a stranger's folder that nobody else may write to": func(t *testing.T) string {
			folder := filepath.Join(t.TempDir(), "app")
			if err := os.MkdirAll(filepath.Join(folder, "muster"), 0o755); err != nil {
				t.Fatal(err)
			}
			plant(t, filepath.Join(folder, "muster"))
			give(t, folder)
			return filepath.Join(folder, "muster")
		},
		"not sticky": func(t *testing.T) string { return open(t, 0o777) },
		"below one that is not sticky": func(t *testing.T) string {
			return filepath.Join(open(t, 0o777), "x", "y")
		},
		"a stranger was there first": func(t *testing.T) string {
			folder := open(t, 0o777|os.ModeSticky)
			if err := os.Mkdir(own(folder), 0o755); err != nil {
				t.Fatal(err)
			}
			plant(t, own(folder))
			give(t, own(folder))
			return folder
		},
		"a stranger's folder on the way": func(t *testing.T) string {
			folder := open(t, 0o777|os.ModeSticky)
			path := filepath.Join(folder, "x", "y")
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			plant(t, path)
			give(t, filepath.Join(folder, "x"))
			return path
		},
		"a stranger's link": func(t *testing.T) string {
			folder := open(t, 0o777|os.ModeSticky)
			target := t.TempDir()
			plant(t, target)
			if err := os.Symlink(target, own(folder)); err != nil {
				t.Fatal(err)
			}
			give(t, own(folder))
			return folder
		},
		"a stranger's link on the way": func(t *testing.T) string {
			folder := open(t, 0o777|os.ModeSticky)
			target := t.TempDir()
			if err := os.Mkdir(filepath.Join(target, "y"), 0o755); err != nil {
				t.Fatal(err)
			}
			plant(t, filepath.Join(target, "y"))
			if err := os.Symlink(target, filepath.Join(folder, "x")); err != nil {
				t.Fatal(err)
			}
			give(t, filepath.Join(folder, "x"))
			return filepath.Join(folder, "x", "y")
		},
		"our own folder, open to all": func(t *testing.T) string {
			folder := open(t, 0o777|os.ModeSticky)
			if err := os.Mkdir(own(folder), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(own(folder), 0o777); err != nil {
				t.Fatal(err)
			}
			plant(t, own(folder))
			return folder
		},
	} {
		t.Run(name, func(t *testing.T) {
			directory := prepare(t)
			h := newHost(t, nil)
			_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), directory)
			wantFailure(t, err, failure.Deploy, failure.PermissionDenied, "replace what is")
			for _, command := range h.ran() {
				if strings.Contains(command, "--version") {
					t.Errorf("%q was run", command)
				}
			}
		})
	}
}

// A link of our own is a matter of our own.
func TestInstallThroughALinkOfOurs(t *testing.T) {
	h := newHost(t, nil)
	target := t.TempDir()
	if err := os.Symlink(target, filepath.Join(h.home, ".cache")); err != nil {
		t.Fatal(err)
	}
	// What is used is where it leads to: the link itself may lead elsewhere by then.
	want := filepath.Join(target, "muster")
	for _, uploaded := range []bool{true, false} {
		got := install(t, h, scripts(t, "1.0"), "")
		if got.Directory != want || filepath.Dir(got.Command) != want || got.Uploaded != uploaded || !got.Shared {
			t.Errorf("got %+v, want it in %s, uploaded: %v", got, want, uploaded)
		}
	}
}

// A link of our own in a folder of everybody that leads back there is followed, but not for ever.
func TestInstallThroughALinkInACircle(t *testing.T) {
	folder := open(t, 0o777|os.ModeSticky)
	if err := os.Symlink(folder, own(folder)); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, nil)
	_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), folder)
	wantFailure(t, err, failure.Deploy, failure.PermissionDenied, "everybody may")
}

// In the home a group may write: on many systems it is the user's own. Elsewhere nobody knows whose it is.
func TestInstallWhereAGroupMayWrite(t *testing.T) {
	h := newHost(t, nil)
	clients := scripts(t, "1.0")
	elsewhere := open(t, 0o775)
	for _, folder := range []string{filepath.Join(h.home, "group"), filepath.Join(elsewhere, "x")} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(h.home, "group"), 0o775); err != nil {
		t.Fatal(err)
	}
	if got := install(t, h, clients, "group"); got.Shared {
		t.Errorf("got %+v, want it to be ours alone", got)
	}
	for _, folder := range []string{elsewhere, filepath.Join(elsewhere, "x")} {
		_, err := clients.Install(t.Context(), h.conn, deploytest.Native(), folder)
		wantFailure(t, err, failure.Deploy, failure.PermissionDenied, "a group may replace what is in "+elsewhere)
	}
	// Where nobody removes what is another's, as in /var/local of some systems, a folder of the user's own is safe.
	sticky := open(t, 0o775|os.ModeSticky)
	if got := install(t, h, clients, sticky); got.Directory != own(sticky) || !got.Shared {
		t.Errorf("got %+v, want it in %s", got, own(sticky))
	}
}

// What Install says of a place decides whether it is relied on later.
func TestInstallTellsWhatIsShared(t *testing.T) {
	h := newHost(t, nil)
	clients := scripts(t, "1.0")
	below := filepath.Join(h.home, "everybody's")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(below, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for directory, want := range map[string]bool{
		"": false, "x/y": false, "everybody's": true, "everybody's/x": true,
		t.TempDir(): true, open(t, 0o777|os.ModeSticky): true,
	} {
		for range 2 {
			if got := install(t, h, clients, directory); got.Shared != want {
				t.Errorf("%q: got %+v, want shared: %v", directory, got, want)
			}
		}
	}
}

// Nothing outside the home is relied on later, even where nobody else can write to anything on the way today.
func TestInstallTakesAllOutsideTheHomeAsShared(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			closed := *s
			if strings.Contains(s.Command, "ls -ldn") {
				closed.Command = "{ " + s.Command + "; } | sed s/^drwxrwxrwt/drwxr-xr-x/"
			}
			return sshtest.Shell(ctx, &closed)
		}
	})
	if got := install(t, h, scripts(t, "1.0"), t.TempDir()); !got.Shared {
		t.Errorf("got %+v, want it to be shared", got)
	}
}

// A server for SFTP that leaves links in its paths is no way to have what is behind them unseen.
func TestInstallThroughALinkThatIsNotResolved(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.SFTP = func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			server, err := sftp.NewServer(s.Channel, sftp.WithServerWorkingDirectory(s.Home))
			if err != nil || server.Serve() != nil {
				return sshtest.Exit{Status: 1}
			}
			return sshtest.Exit{}
		}
	})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), filepath.Join(link, "x"))
	wantFailure(t, err, failure.Deploy, failure.PermissionDenied, link+" is a symbolic link")
	if got := install(t, h, scripts(t, "1.0"), ""); got.Directory != h.cache() {
		t.Errorf("got %+v, want it in the home", got)
	}
}

// A host that does not tell who owns what gets the client into its home, and nowhere else.
func TestInstallWhereOwnersCannotBeSeen(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = answering(map[string]sshtest.Handler{"echo; ls ": sshtest.Answer("ls: not found", 127)})
	})
	clients := scripts(t, "1.0")
	if got := install(t, h, clients, ""); got.Directory != h.cache() {
		t.Errorf("installed in %s, want %s", got.Directory, h.cache())
	}
	_, err := clients.Install(t.Context(), h.conn, deploytest.Native(), t.TempDir())
	wantFailure(t, err, failure.Deploy, failure.PermissionDenied, "does not say who may write", "ls: not found")
}
