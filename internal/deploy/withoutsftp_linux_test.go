package deploy_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/sshtest"
	"muster/internal/testserver"
)

func noSFTP(o *sshtest.Options) { o.Refuse = sshtest.Refuse("sftp") }

// Without SFTP a client is installed, found again, mended and tidied as with it.
func TestInstallWithoutSFTP(t *testing.T) {
	h := newHost(t, noSFTP)
	program := script("1.0")
	clients := scripts(t, "1.0")
	for _, uploaded := range []bool{true, false} {
		got := install(t, h, clients, "")
		if got.Uploaded != uploaded || got.Directory != h.cache() || got.Shared {
			t.Errorf("got %+v, want it in %s, uploaded: %v", got, h.cache(), uploaded)
		}
	}
	installed := filepath.Join(h.cache(), nameOf(program))
	if info, err := os.Stat(installed); err != nil || info.Mode() != 0o700 || whole(installed) != program {
		t.Errorf("the client has the mode %v, %v, or another content", info.Mode(), err)
	}

	// A damaged one of the same length runs, and is not looked at again; one of another length is replaced.
	if err := os.WriteFile(installed, []byte(program[:20]), 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-30 * 24 * time.Hour)
	for _, name := range []string{"muster-client-old", ".muster-upload-old", "muster-report-old", "mine"} {
		path := filepath.Join(h.cache(), name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if got := install(t, h, clients, ""); !got.Uploaded || whole(installed) != program {
		t.Errorf("got %+v and %q", got, whole(installed))
	}
	if left := files(t, h.cache()); !slices.Equal(left, []string{"mine", nameOf(program)}) {
		t.Errorf("the folder holds %q", left)
	}
}

func TestInstallWithoutSFTPTakesTheSamePlaces(t *testing.T) {
	h := newHost(t, noSFTP)
	clients := scripts(t, "1.0")
	shared := open(t, 0o777|os.ModeSticky)
	for directory, want := range map[string]string{
		"x/y": filepath.Join(h.home, "x/y"), `it's "a" \n; $HOME !x`: filepath.Join(h.home, `it's "a" \n; $HOME !x`), shared: own(shared),
	} {
		for _, uploaded := range []bool{true, false} {
			got := install(t, h, clients, directory)
			if got.Directory != want || got.Uploaded != uploaded || got.Shared != (directory == shared) {
				t.Errorf("%s: got %+v, want it in %s, uploaded: %v", directory, got, want, uploaded)
			}
		}
	}
	folder := open(t, 0o777)
	_, err := clients.Install(t.Context(), h.conn, deploytest.Native(), folder)
	wantFailure(t, err, failure.Deploy, failure.PermissionDenied, "replace what is")
	if left := files(t, folder); len(left) > 0 {
		t.Errorf("%q stays in a folder of everybody's", left)
	}
}

// What goes wrong is told apart without SFTP, too, and leaves nothing.
func TestInstallWithoutSFTPFails(t *testing.T) {
	clients := deploytest.Set(t, "1.0", map[deploy.Platform]string{
		deploytest.Native(): script("1.0") + strings.Repeat("# a comment\n", 20_000),
	})
	scripted := func(change string) func(*sshtest.Options) {
		return func(o *sshtest.Options) {
			noSFTP(o)
			o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
				changed := *s
				changed.Command = change + s.Command
				return sshtest.Shell(ctx, &changed)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*sshtest.Options)
		kind   failure.Kind
		words  string
	}{
		"a limit on the size of files": {scripted("ulimit -f 64; "), failure.FileFailed, "here"},
		"another hash": {
			scripted("sha256sum() { echo " + strings.Repeat("0", 64) + "; }; "), failure.Vanished, "changed after the upload",
		},
		"no answers": {scripted("exec >/dev/null; "), failure.FileFailed, "no clear answer"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, c.change)
			_, err := clients.Install(t.Context(), h.conn, deploytest.Native(), "here")
			wantFailure(t, err, failure.Deploy, c.kind, c.words)
			if left := files(t, filepath.Join(h.home, "here")); len(left) > 0 {
				t.Errorf("%q stays on the host", left)
			}
		})
	}
}

// A host without a tool for SHA-256 has the file read back.
func TestInstallWithoutSFTPReadsBack(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		noSFTP(o)
		o.Exec = answering(map[string]sshtest.Handler{"sha256sum": sshtest.Answer("not found", 127)})
	})
	if got := install(t, h, deploytest.Clients(t), ""); !got.Uploaded {
		t.Errorf("got %+v", got)
	}
}

// Where a connection is lost in the middle of an upload, the host removes what had arrived.
func TestALostUploadWithoutSFTPLeavesNothing(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{NoSFTP: true})
	conn := dial(t, s)
	const size = 64 << 20
	reached := make(chan struct{})
	go func() {
		<-reached
		_ = conn.Close()
	}()
	shell := deploy.FilesByShell(conn)
	if err := shell.Mkdir(t.Context(), s.Home+"/x"); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		failed <- shell.Upload(t.Context(), s.Home+"/x/file", io.LimitReader(zeros{}, size), size, 0o700)
	}()
	await(t, "the file to grow", func() bool {
		info, err := os.Stat(s.Home + "/x/file")
		return err == nil && info.Size() > 0
	})
	close(reached)
	if err := <-failed; err == nil {
		t.Fatal("the whole upload was faster")
	}
	await(t, "the file to go", func() bool { return len(files(t, s.Home+"/x")) == 0 })
}

// zeros is a content without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// await waits for what a foreign process does, which gives no signal.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
