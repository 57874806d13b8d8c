package deploy_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/deploy/manifest"
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
		if len(program) > 4<<20 {
			t.Errorf("the client for %s has %d bytes: more than 4 MiB", p, len(program))
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

func TestProgramIsUnpackedOnceForAll(t *testing.T) {
	clients := deploytest.Set(t, "1", map[deploy.Platform]string{linux: strings.Repeat("a program", 1000)})
	programs := make([][]byte, 8)
	var readers sync.WaitGroup
	for i := range programs {
		readers.Go(func() {
			var err error
			if programs[i], err = clients.Program(linux); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	for _, p := range programs {
		if !bytes.Equal(p, programs[0]) {
			t.Error("readers got different programs")
		}
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
