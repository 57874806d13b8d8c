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
	"time"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

func install(t *testing.T, h *host, clients *deploy.Clients, directory string) deploy.Installed {
	t.Helper()
	got, err := clients.Install(t.Context(), h.conn, deploytest.Native(), directory)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

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

// installAtOnce installs over several connections at the same time.
func installAtOnce(t *testing.T, clients *deploy.Clients, conns ...*remote.Conn) {
	t.Helper()
	var visits sync.WaitGroup
	for _, conn := range conns {
		visits.Go(func() {
			if _, err := clients.Install(t.Context(), conn, deploytest.Native(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	visits.Wait()
}

// Nobody's installation disturbs another's: all of them end with the same whole file and nothing beside it.
func TestInstallRace(t *testing.T) {
	h := newHost(t, nil)
	installAtOnce(t, scripts(t, "1.0"), h.conn, connect(t, h.Server), connect(t, h.Server), connect(t, h.Server))
	if got := files(t, h.cache()); !slices.Equal(got, []string{nameOf(script("1.0"))}) {
		t.Errorf("the folder holds %q, want the client alone", got)
	}
}

func TestInstallTidies(t *testing.T) {
	h := newHost(t, nil)
	if err := os.MkdirAll(h.cache(), 0o700); err != nil {
		t.Fatal(err)
	}
	const hour, day = time.Hour, 24 * time.Hour
	kept := map[string]time.Duration{
		"muster-client-0123456789abcdef":     6 * day,
		".muster-upload-1122334455667788":    50 * time.Minute,
		"muster-report-of-a-visit-right-now": time.Minute,
		"somebody-else's":                    365 * day,
	}
	removed := map[string]time.Duration{
		"muster-client-fedcba9876543210":      8 * day,
		"muster-client-fedcba9876543211.exe":  8 * day,
		".muster-upload-8877665544332211":     2 * hour,
		"muster-report-of-a-visit-of-old":     2 * hour,
		"muster-report-01jz0000000000000000a": 40 * day,
	}
	for _, set := range []map[string]time.Duration{kept, removed} {
		for name, age := range set {
			path := filepath.Join(h.cache(), name)
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			when := time.Now().Add(-age)
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	folder := filepath.Join(h.cache(), "muster-client-a-folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(folder, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}

	installed := install(t, h, scripts(t, "1.0"), "")
	want := []string{"muster-client-a-folder", filepath.Base(installed.Command)}
	for name := range kept {
		want = append(want, name)
	}
	slices.Sort(want)
	if got := files(t, h.cache()); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q,\nwant %q", got, want)
	}
}

// What is old is for the host's clock to say, here one that is a month behind.
func TestInstallTidiesByTheHostsClock(t *testing.T) {
	const behind = 30 * 24 * time.Hour
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if client, ok := strings.CutSuffix(s.Command, " --version"); ok {
				then := time.Now().Add(-behind)
				_ = os.Chtimes(client, then, then)
			}
			return sshtest.Shell(ctx, s)
		}
	})
	if err := os.MkdirAll(h.cache(), 0o700); err != nil {
		t.Fatal(err)
	}
	young := filepath.Join(h.cache(), "muster-client-0123456789abcdef")
	if err := os.WriteFile(young, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-behind - 24*time.Hour)
	if err := os.Chtimes(young, then, then); err != nil {
		t.Fatal(err)
	}
	install(t, h, scripts(t, "1.0"), "")
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a version of the day before is gone: %v", err)
	}
}

// What a shell says is in any language; its status is not.
func TestInstallWhereTheShellRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		said   string
		status uint32
		words  string
	}{
		"not executable": {"Keine Berechtigung", 126, "Keine Berechtigung"},
		"not found":      {"nicht gefunden", 127, "ChrootDirectory"},
		"csh":            {"/x: Permission denied.", 1, "Permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, func(o *sshtest.Options) {
				o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
					if strings.HasSuffix(s.Command, " --version") {
						return sshtest.Answer(test.said, test.status)(ctx, s)
					}
					return sshtest.Shell(ctx, s)
				}
			})
			_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), "here")
			wantFailure(t, err, failure.Deploy, failure.NoExec, test.words)
		})
	}
}

// OpenSSH's SFTP server says that it can't write, and not why: the host's dd does.
func TestInstallBeyondAQuota(t *testing.T) {
	for name, test := range map[string]struct {
		says string // the host's dd
		kind failure.Kind
		word string
	}{
		"quota":     {"dd: error writing 'x': Disk quota exceeded", failure.Quota, "quota"},
		"full":      {"dd: error writing 'x': No space left on device", failure.DiskFull, "no space"},
		"no reason": {"0+0 records in", failure.FileFailed, "SSH_FX_FAILURE"},
	} {
		t.Run(name, func(t *testing.T) {
			programs := t.TempDir()
			dd := "#!/bin/sh\necho \"$LC_ALL: " + test.says + "\" >&2\nexit 1\n"
			if err := os.WriteFile(filepath.Join(programs, "dd"), []byte(dd), 0o700); err != nil {
				t.Fatal(err)
			}
			h := newHost(t, func(o *sshtest.Options) {
				o.Env = []string{"PATH=" + programs + ":" + os.Getenv("PATH")}
				o.SFTP = sshtest.WithoutWriting
			})
			_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), "here")
			wantFailure(t, err, failure.Deploy, test.kind, test.word)
			asked := slices.ContainsFunc(h.ran(), func(command string) bool { return strings.HasPrefix(command, "env LC_ALL=C dd ") })
			if !asked {
				t.Error("dd was not asked")
			}
		})
	}
}

func TestInstallQuarantined(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if command, ok := strings.CutSuffix(s.Command, " --version"); ok {
				_ = os.Remove(command)
			}
			return sshtest.Shell(ctx, s)
		}
	})
	_, err := scripts(t, "1.0").Install(t.Context(), h.conn, deploytest.Native(), "")
	wantFailure(t, err, failure.Deploy, failure.Vanished, "disappeared", "allow the program with the SHA-256")
}

// A client for another machine is refused by the kernel, and taken away again.
func TestInstallForAnotherMachine(t *testing.T) {
	h := newHost(t, nil)
	alien := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + "\xff\xff" + strings.Repeat("\x00", 100)
	clients := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): alien})
	_, err := clients.Install(t.Context(), h.conn, deploytest.Native(), "")
	wantFailure(t, err, failure.Deploy, failure.WrongPlatform, "Exec format error", "uname -sm")
	if left := files(t, h.cache()); len(left) != 0 {
		t.Errorf("%q stays on the host", left)
	}
}

func TestInstallOfAClientThatFails(t *testing.T) {
	h := newHost(t, nil)
	broken := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): "#!/bin/sh\necho no luck >&2\nexit 3\n"})
	_, err := broken.Install(t.Context(), h.conn, deploytest.Native(), "here")
	wantFailure(t, err, failure.Deploy, failure.ClientFailed, "no luck", "exit status 3", "--version")

	killed := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): "#!/bin/sh\nkill -9 $$\n"})
	_, err = killed.Install(t.Context(), h.conn, deploytest.Native(), "here")
	wantFailure(t, err, failure.Deploy, failure.ClientCrashed, "signal 9", "system log")

	silent := deploytest.Set(t, "1.0", map[deploy.Platform]string{deploytest.Native(): "#!/bin/sh\necho 2.0\n"})
	_, err = silent.Install(t.Context(), h.conn, deploytest.Native(), "here")
	wantFailure(t, err, failure.Deploy, failure.ClientFailed, "2.0")
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
