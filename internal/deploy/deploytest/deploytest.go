// Package deploytest makes sets of clients for tests: of the real client, for the platform that the test runs on, and of
// whatever a test wants to have in a client's place.
package deploytest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"muster/internal/deploy"
	"muster/internal/deploy/manifest"
)

// Version is what the clients of Clients say their version is.
const Version = "0.0.0-test"

// Native returns the platform that the test runs on.
func Native() deploy.Platform { return deploy.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH} }

// built holds the real client once it has been built: by the first test of a process that asks for it.
var built = sync.OnceValues(build)

// Clients returns a set with the real client for this platform alone, built as make builds it.
func Clients(tb testing.TB) *deploy.Clients {
	tb.Helper()
	folder, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	return open(tb, folder)
}

func build() (fs.FS, error) {
	folder, err := os.MkdirTemp("", "muster-clients-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	arguments := []string{
		"run", "muster/internal/deploy/buildclients", "-version", Version, "-out", folder, Native().String(),
	}
	command := exec.Command("go", arguments...) //nolint:gosec,noctx // they are ours, and it ends by itself
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the client: %w\n%s", err, output)
	}
	files := fstest.MapFS{}
	for _, name := range []string{manifest.FileName, Native().FileName()} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files, nil
}

// Set returns a set with these programs for clients. They need not be programs.
func Set(tb testing.TB, version string, programs map[deploy.Platform]string) *deploy.Clients {
	tb.Helper()
	return open(tb, Files(tb, version, programs))
}

// Files returns the files of such a set.
func Files(tb testing.TB, version string, programs map[deploy.Platform]string) fstest.MapFS {
	tb.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = encoder.Close() }()
	files := fstest.MapFS{}
	var m manifest.Manifest
	for platform, program := range programs {
		sum := sha256.Sum256([]byte(program))
		m.Clients = append(m.Clients, manifest.Entry{
			Platform: platform.String(), Version: version, Size: int64(len(program)), SHA256: hex.EncodeToString(sum[:]),
		})
		files[platform.FileName()] = &fstest.MapFile{Data: encoder.EncodeAll([]byte(program), nil)}
	}
	text, err := m.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	files[manifest.FileName] = &fstest.MapFile{Data: text}
	return files
}

func open(tb testing.TB, folder fs.FS) *deploy.Clients {
	tb.Helper()
	clients, err := deploy.Open(folder)
	if err != nil {
		tb.Fatal(err)
	}
	return clients
}
