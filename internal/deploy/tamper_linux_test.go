package deploy_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pkg/sftp"

	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

const stranger = 54321 // a user who is not us

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
