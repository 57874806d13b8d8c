package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

func TestInstallUploadsOnce(t *testing.T) {
	h := newHost(t, nil)
	clients := scripts(t, "1.0")
	got := install(t, h, clients, "")
	name := nameOf(script("1.0"))
	want := deploy.Installed{
		Platform: deploytest.Native(), Command: filepath.Join(h.cache(), name), Directory: h.cache(), Uploaded: true,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	content, err := os.ReadFile(got.Command)
	if err != nil || string(content) != script("1.0") {
		t.Errorf("the client on the host is %q, %v", content, err)
	}
	for path, mode := range map[string]os.FileMode{got.Command: 0o700, h.cache(): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s has the mode %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	before, err := os.Stat(got.Command)
	if err != nil {
		t.Fatal(err)
	}

	want.Uploaded = false
	if again := install(t, h, clients, ""); again != want {
		t.Errorf("the second time: got %+v, want %+v", again, want)
	}
	if after, err := os.Stat(got.Command); err != nil || !os.SameFile(before, after) {
		t.Errorf("the client was replaced by itself: %v", err)
	}
	if got := files(t, h.cache()); !slices.Equal(got, []string{name}) {
		t.Errorf("the folder holds %q, want the client alone", got)
	}
}

func TestInstallRealClient(t *testing.T) {
	h := newHost(t, nil)
	got := install(t, h, deploytest.Clients(t), "")
	answer, err := h.conn.Output(t.Context(), got.Command+" --version", nil)
	if err != nil || answer.Status != 0 || !strings.Contains(string(answer.Stdout), deploytest.Version) {
		t.Errorf("the client says %q, %d, %v", answer.Stdout, answer.Status, err)
	}
}

func TestInstallWhereTheUserCaches(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "my cache")
	h := newHost(t, func(o *sshtest.Options) { o.Env = []string{"XDG_CACHE_HOME=" + cache} })
	if deploytest.Native().OS == "darwin" {
		t.Skip("macOS has a cache folder of its own")
	}
	got := install(t, h, scripts(t, "1.0"), "")
	if want := filepath.Join(cache, "muster"); got.Directory != want {
		t.Errorf("installed in %s, want %s", got.Directory, want)
	}
}

func TestInstallInAConfiguredFolder(t *testing.T) {
	elsewhere := t.TempDir()
	for directory, want := range map[string]string{
		"opt/muster":               "HOME/opt/muster",
		"~/opt/other":              "HOME/opt/other",
		elsewhere + "/deep/down":   elsewhere + "/deep/down",
		elsewhere + "/it's a 100%": elsewhere + "/it's a 100%",
		elsewhere + `/back\slash!`: elsewhere + `/back\slash!`,
		elsewhere + "/$HOME `id`":  elsewhere + "/$HOME `id`",
		elsewhere + "/./x/../y/":   elsewhere + "/y",
	} {
		t.Run(directory, func(t *testing.T) {
			h := newHost(t, nil)
			want := strings.Replace(want, "HOME/", h.home+"/", 1)
			got := install(t, h, scripts(t, "1.0"), directory)
			if got.Directory != want {
				t.Errorf("installed in %s, want %s", got.Directory, want)
			}
			if files := files(t, want); len(files) != 1 {
				t.Errorf("%s holds %q, want the client alone", want, files)
			}
		})
	}
}

func TestInstallRefusesAnImpossibleFolder(t *testing.T) {
	h := newHost(t, nil)
	_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), "a\nb")
	wantFailure(t, err, failure.Deploy, failure.Configuration, "control characters")

	win, _ := newWindowsHost(t, cmdExe)
	for _, directory := range []string{`C:\Program Files\muster`, `\muster`, "a&b", `a"b`, "C:"} {
		_, err := windowsClients(t, "MZ").Install(t.Context(), win.conn, windowsPlatform, directory)
		if directory == "C:" { // a drive without a folder: allowed, and it can't be written to here
			continue
		}
		wantFailure(t, err, failure.Deploy, failure.Configuration, "on Windows")
	}
}

func TestInstallWithoutAClientForIt(t *testing.T) {
	h := newHost(t, nil)
	_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploy.Platform{OS: "freebsd", Arch: "riscv64"}, "")
	wantFailure(t, err, failure.Deploy, failure.UnknownPlatform, "freebsd/riscv64")
}

// A client that is damaged on the host has the right name and length: that it does not run gives it away.
func TestInstallReplacesADamagedClient(t *testing.T) {
	program := script("1.0")
	for name, damage := range map[string]func(path string) error{
		"other content": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("#"), len(program)), 0o700)
		},
		"cut":            func(path string) error { return os.Truncate(path, 10) },
		"not executable": func(path string) error { return os.Chmod(path, 0o600) },
		"removed":        os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			clients := scripts(t, "1.0")
			installed := install(t, h, clients, "")
			if err := damage(installed.Command); err != nil {
				t.Fatal(err)
			}
			if again := install(t, h, clients, ""); !again.Uploaded || again.Command != installed.Command {
				t.Errorf("got %+v, want it to be uploaded again", again)
			}
			if content, err := os.ReadFile(installed.Command); err != nil || string(content) != program {
				t.Errorf("the client is %q, %v", content, err)
			}
		})
	}
}

// What arrives is compared with what was sent, whether the host has a tool for that or not.
func TestInstallChecksWhatArrived(t *testing.T) {
	for name, answer := range map[string]sshtest.Handler{
		"the host's tool": sshtest.Answer(strings.Repeat("ab", 32)+"  file\n", 0),
		"reading it back": func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			uploads, err := filepath.Glob(filepath.Join(s.Home, ".cache/muster/.muster-upload-*"))
			if err == nil && len(uploads) == 1 {
				err = os.WriteFile(uploads[0], bytes.Repeat([]byte("x"), len(script("1.0"))), 0o700)
			}
			if err != nil {
				return sshtest.Exit{Status: 1}
			}
			return sshtest.Exit{Status: 127}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, func(o *sshtest.Options) {
				o.Exec = answering(map[string]sshtest.Handler{"sha256": answer, "shasum": answer})
			})
			_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), "")
			wantFailure(t, err, failure.Deploy, failure.Vanished, "was changed")
			if left := files(t, h.cache()); len(left) != 0 {
				t.Errorf("%q stays on the host", left)
			}
		})
	}
}

func TestInstallWithoutATool(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		missing := sshtest.Answer("command not found", 127)
		o.Exec = answering(map[string]sshtest.Handler{"sha256": missing, "shasum": missing})
	})
	install(t, h, scripts(t, "1.0"), "")
}

// Nobody's installation disturbs another's: all of them end with the same whole file and nothing beside it.
func TestInstallRace(t *testing.T) {
	h := newHost(t, nil)
	installAtOnce(t, scripts(t, "1.0"), h.conn, connect(t, h.Server), connect(t, h.Server), connect(t, h.Server))
	if got := files(t, h.cache()); !slices.Equal(got, []string{nameOf(script("1.0"))}) {
		t.Errorf("the folder holds %q, want the client alone", got)
	}
}

// Some hosts print on every login: none of the questions may be confused by it.
func TestInstallAmongNoise(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			_, _ = io.WriteString(s.Stdout, "Welcome!\n42 users\n7\nd 1 2 3 4 5 /\nup for 12")
			return sshtest.Shell(ctx, s)
		}
	})
	if got := install(t, h, scripts(t, "1.0"), ""); got.Directory != h.cache() {
		t.Errorf("installed in %s, want %s", got.Directory, h.cache())
	}
}

func TestInstallEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if strings.Contains(s.Command, "--version") {
				close(begun)
				return sshtest.Hang(ctx, s)
			}
			return sshtest.Shell(ctx, s)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var canceller sync.WaitGroup
	canceller.Go(func() { <-begun; cancel() })
	defer canceller.Wait()
	_, err := scripts(t, "1.0").Install(ctx, h.conn, deploytest.Native(), "")
	wantFailure(t, err, failure.Deploy, failure.Cancelled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}
