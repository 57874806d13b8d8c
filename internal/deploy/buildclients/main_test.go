package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"muster/internal/deploy/manifest"
)

const (
	smallProgram  = "muster/internal/deploy/buildclients/testdata/program"
	brokenProgram = "muster/internal/deploy/buildclients/testdata/broken"
)

func native() manifest.Platform { return manifest.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH} }

func build(t *testing.T, s set) (manifest.Manifest, string) {
	t.Helper()
	var out bytes.Buffer
	if err := s.build(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.Folder, manifest.FileName))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m, out.String()
}

func unpack(t *testing.T, path string) []byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	program, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestBuildsWhatItSays(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "clients")
	other := manifest.Platform{OS: "windows", Arch: "arm64"}
	m, out := build(t, set{
		Package: smallProgram, Version: "1.2.3-test", Folder: folder, Parallel: 2,
		Platforms: []manifest.Platform{native(), other},
	})
	if len(m.Clients) != 2 {
		t.Fatalf("the manifest lists %+v, not two clients", m.Clients)
	}
	for _, e := range m.Clients {
		p, err := manifest.ParsePlatform(e.Platform)
		if err != nil {
			t.Fatal(err)
		}
		program := unpack(t, filepath.Join(folder, p.FileName()))
		sum := sha256.Sum256(program)
		if e.Size != int64(len(program)) || e.SHA256 != hex.EncodeToString(sum[:]) || e.Version != "1.2.3-test" {
			t.Errorf("manifest entry %+v does not describe a program of %d bytes, %x", e, len(program), sum)
		}
		if !strings.Contains(out, e.Platform) || !strings.Contains(out, e.SHA256) {
			t.Errorf("the output does not name %s and its hash:\n%s", e.Platform, out)
		}
		if root, _ := os.Getwd(); bytes.Contains(program, []byte(root)) {
			t.Errorf("the client for %s holds the path of the source tree", e.Platform)
		}
	}
	if windows := unpack(t, filepath.Join(folder, other.FileName())); !bytes.HasPrefix(windows, []byte("MZ")) {
		t.Error("the client for Windows is no Windows program")
	}

	file := filepath.Join(t.TempDir(), "client.exe")
	if err := os.WriteFile(file, unpack(t, filepath.Join(folder, native().FileName())), 0o700); err != nil {
		t.Fatal(err)
	}
	if version, err := exec.Command(file).Output(); err != nil || strings.TrimSpace(string(version)) != "1.2.3-test" {
		t.Errorf("the client says %q, %v; want its version", version, err)
	}
}

// The client is built with everything that a client links, so this is the real one.
func TestSameSourceSameBytes(t *testing.T) {
	linux := []manifest.Platform{{OS: "linux", Arch: "amd64"}}
	folders := []string{t.TempDir(), t.TempDir()}
	for _, folder := range folders {
		build(t, set{Package: clientPackage, Version: "1", Folder: folder, Parallel: 1, Platforms: linux})
		t.Setenv("GOFLAGS", "-tags=other") // of the second build: it must not matter
		t.Setenv("GOAMD64", "v3")
	}
	for _, name := range []string{"linux-amd64.zst", manifest.FileName} {
		first, err := os.ReadFile(filepath.Join(folders[0], name))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(filepath.Join(folders[1], name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("two builds of the same source differ in %s", name)
		}
	}
}

func TestReplacesAnEarlierSet(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"README.md", "plan9-386.zst", manifest.FileName} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build(t, set{Package: smallProgram, Version: "2", Folder: folder, Parallel: 1, Platforms: []manifest.Platform{native()}})
	want := []string{"README.md", native().FileName(), manifest.FileName}
	slices.Sort(want)
	if got := names(t, folder); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestFailureLeavesTheFolderAsItWas(t *testing.T) {
	folder := t.TempDir()
	s := set{
		Package: smallProgram, Version: "1", Folder: folder, Parallel: 1,
		Platforms: []manifest.Platform{{OS: "linux", Arch: "amd64"}},
	}
	before, _ := build(t, s)

	s.Package = brokenProgram
	s.Platforms = []manifest.Platform{{OS: "linux", Arch: "amd64"}, {OS: "freebsd", Arch: "arm64"}}
	err := s.build(t.Context(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "freebsd/arm64") || !strings.Contains(err.Error(), "build constraints") {
		t.Errorf("got %v, want an error with the platform and what the compiler said", err)
	}
	if got, want := names(t, folder), []string{"linux-amd64.zst", manifest.FileName}; !slices.Equal(got, want) {
		t.Errorf("a failed build leaves %q, want %q", got, want)
	}
	text, err := os.ReadFile(filepath.Join(folder, manifest.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if after, err := manifest.Parse(text); err != nil || after.Clients[0] != before.Clients[0] {
		t.Errorf("a failed build changed the manifest: %+v, %v", after, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	folder := t.TempDir()
	s := set{Package: smallProgram, Version: "1", Folder: folder, Parallel: 1, Platforms: []manifest.Platform{native()}}
	if err := s.build(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if left := names(t, folder); len(left) != 0 {
		t.Errorf("a cancelled build leaves %q", left)
	}
}

func TestUsage(t *testing.T) {
	for _, arguments := range [][]string{
		{"-nonsense"}, {"linux/riscv64"}, {"linux/amd64", "linux/amd64"}, {"-version", ""}, {"-parallel", "0"},
	} {
		var stderr bytes.Buffer
		arguments = append([]string{"-out", t.TempDir()}, arguments...)
		if err := run(t.Context(), arguments, &bytes.Buffer{}, &stderr); !errors.Is(err, errUsage) {
			t.Errorf("%q: got %v, want a usage error", arguments, err)
		}
	}
	var stderr bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &bytes.Buffer{}, &stderr); err != nil || !strings.Contains(stderr.String(), "-version") {
		t.Errorf("-h: %v, %q", err, stderr.String())
	}
	all, err := parsePlatforms(nil)
	if err != nil || !slices.Equal(all, manifest.Platforms()) {
		t.Errorf("without arguments it builds %v, %v; want every platform", all, err)
	}
}
