package deploy_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

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
