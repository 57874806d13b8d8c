package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/deploy/manifest"
	"muster/internal/sshtest"
)

var linux = deploy.Platform{OS: "linux", Arch: "amd64"}

// Where make has run the embedded set must be whole, and in CI it must have run.
func TestEmbedded(t *testing.T) {
	clients, err := deploy.Embedded()
	if errors.Is(err, deploy.ErrNoClients) {
		if !strings.Contains(err.Error(), "run make") {
			t.Errorf("%q does not say what to do", err)
		}
		if os.Getenv("CI") == "true" {
			t.Fatal("the clients are not built: run make before the tests")
		}
		t.Skip("the clients are not built: run make")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := clients.Platforms(); !slices.Equal(got, manifest.Platforms()) {
		t.Errorf("there are clients for %v, want one for each of %v", got, manifest.Platforms())
	}
	for _, p := range clients.Platforms() {
		program, err := clients.Program(p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if most := 4_500_000; len(program) > most {
			t.Errorf("the client for %s has %d bytes: more than %d", p, len(program), most)
		}
	}
}

func TestProgram(t *testing.T) {
	clients := deploytest.Set(t, "1", map[deploy.Platform]string{linux: "a program"})
	got, err := clients.Program(linux)
	if err != nil || string(got) != "a program" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := clients.Program(deploy.Platform{OS: "linux", Arch: "arm64"}); err == nil {
		t.Error("there is a program for a platform that the set does not have")
	}
}

// countingFS counts how often a file of it is opened, by whatever way.
type countingFS struct {
	fs.FS
	name   string
	opened atomic.Int32
}

func (c *countingFS) Open(name string) (fs.File, error) {
	if name == c.name {
		c.opened.Add(1)
	}
	return c.FS.Open(name)
}

// A program is shared from when an upload needs it until that upload ends, whatever the garbage collector does in between,
// and not any longer.
func TestProgramIsUnpackedOnceForAllUploads(t *testing.T) {
	platform := deploytest.Native()
	files := &countingFS{
		FS:   deploytest.Files(t, "1.0", map[deploy.Platform]string{platform: script("1.0")}),
		name: platform.FileName(),
	}
	clients, err := deploy.Open(files)
	if err != nil {
		t.Fatal(err)
	}
	files.opened.Store(0)
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = answering(map[string]sshtest.Handler{"sha": func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			runtime.GC() // the upload is under way: it checks what has arrived
			var others sync.WaitGroup
			for range 4 {
				others.Go(func() {
					if _, err := clients.Program(platform); err != nil {
						t.Error(err)
					}
				})
			}
			others.Wait()
			return sshtest.Shell(ctx, s)
		}})
	})
	if !install(t, h, clients, "").Uploaded {
		t.Fatal("the client was not uploaded")
	}
	if n := files.opened.Load(); n != 1 {
		t.Errorf("the program was unpacked %d times for one upload and what went on beside it", n)
	}
	runtime.GC()
	if _, err := clients.Program(platform); err != nil || files.opened.Load() != 2 {
		t.Errorf("after the upload the program was unpacked %d times, want 2: it is still held; %v", files.opened.Load(), err)
	}
}

func TestOpenRefusesADamagedSet(t *testing.T) {
	if _, err := deploy.Open(fstest.MapFS{"README.md": {}}); !errors.Is(err, deploy.ErrNoClients) {
		t.Errorf("an empty folder: got %v, want ErrNoClients", err)
	}
	files := deploytest.Files(t, "1", map[deploy.Platform]string{linux: "a program"})
	delete(files, linux.FileName())
	if _, err := deploy.Open(files); err == nil || errors.Is(err, deploy.ErrNoClients) {
		t.Errorf("a missing file: got %v", err)
	}
	files[manifest.FileName] = &fstest.MapFile{Data: []byte("{")}
	if _, err := deploy.Open(files); err == nil || errors.Is(err, deploy.ErrNoClients) {
		t.Errorf("a broken manifest: got %v", err)
	}
}

func TestProgramRefusesWhatTheManifestDoesNotSay(t *testing.T) {
	other := func(program string) *fstest.MapFile {
		return deploytest.Files(t, "1", map[deploy.Platform]string{linux: program})[linux.FileName()]
	}
	for name, file := range map[string]*fstest.MapFile{
		"another of the same length": other("b program"),
		"a longer one":               other("a program and more"),
		"a shorter one":              other("a"),
		"not zstd":                   {Data: []byte("a program")},
		"far too large":              {Data: pack(t, bytes.Repeat([]byte("a program"), 4<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			files := deploytest.Files(t, "1", map[deploy.Platform]string{linux: "a program"})
			files[linux.FileName()] = file
			clients, err := deploy.Open(files)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := clients.Program(linux); err == nil {
				t.Errorf("got %d bytes, want an error", len(got))
			}
		})
	}
}

func pack(t *testing.T, program []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll(program, nil)
}

func TestRealClient(t *testing.T) {
	program, err := deploytest.Clients(t).Program(deploytest.Native())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil || !strings.Contains(string(version), deploytest.Version) {
		t.Errorf("the client says %q, %v; want its version, %s", version, err, deploytest.Version)
	}
}
