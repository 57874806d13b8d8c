package deploy_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

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
