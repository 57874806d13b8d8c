package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"muster/internal/deploy/manifest"
)

// set is what to build, and where to.
type set struct {
	Package   string // import path of the client's main package
	Version   string
	Folder    string
	Parallel  int
	Platforms []manifest.Platform
}

// build builds everything beside the folder's present content first and puts it in place only when all of it is there.
func (s set) build(ctx context.Context, stdout io.Writer) error {
	if err := os.MkdirAll(s.Folder, 0o755); err != nil { //nolint:gosec // a folder of the source tree
		return fmt.Errorf("create the folder for the clients: %w", err)
	}
	scratch, err := os.MkdirTemp(s.Folder, ".build-")
	if err != nil {
		return fmt.Errorf("create a folder to build in: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()

	entries := make([]manifest.Entry, len(s.Platforms))
	compressed := make([]int, len(s.Platforms))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.Parallel)
	for i, p := range s.Platforms {
		group.Go(func() (err error) {
			entries[i], compressed[i], err = s.buildOne(ctx, p, scratch)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, e := range entries {
		fmt.Fprintf(stdout, "%-14s %8d bytes, %8d compressed  sha256 %s\n", e.Platform, e.Size, compressed[i], e.SHA256)
	}
	return s.install(scratch, manifest.Manifest{Clients: entries})
}

// buildOne leaves the compressed client of one platform in scratch.
func (s set) buildOne(ctx context.Context, p manifest.Platform, scratch string) (manifest.Entry, int, error) {
	program, err := s.compile(ctx, p, scratch)
	if err != nil {
		return manifest.Entry{}, 0, fmt.Errorf("build the client for %s: %w", p, err)
	}
	packed, err := compress(program)
	if err != nil {
		return manifest.Entry{}, 0, fmt.Errorf("compress the client for %s: %w", p, err)
	}
	if err := os.WriteFile(filepath.Join(scratch, p.FileName()), packed, 0o644); err != nil { //nolint:gosec // of the source tree
		return manifest.Entry{}, 0, fmt.Errorf("write the client for %s: %w", p, err)
	}
	sum := sha256.Sum256(program)
	return manifest.Entry{
		Platform: p.String(), Version: s.Version, Size: int64(len(program)), SHA256: hex.EncodeToString(sum[:]),
	}, len(packed), nil
}

func (s set) compile(ctx context.Context, p manifest.Platform, scratch string) ([]byte, error) {
	file := filepath.Join(scratch, p.OS+"-"+p.Arch)
	arguments := []string{
		"build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.version=" + s.Version, "-o", file, s.Package,
	}
	command := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // whoever builds names them
	command.Env = environment(os.Environ(), p)
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(output))
	}
	return os.ReadFile(file)
}

// environment returns the variables of one build: those of this process without any that changes what comes out of it.
func environment(own []string, p manifest.Platform) []string {
	kept := make([]string, 0, len(own)+8)
	for _, variable := range own {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "GOFLAGS", "GOEXPERIMENT", "GODEBUG", "GOFIPS140", "GOWORK":
		default:
			kept = append(kept, variable)
		}
	}
	return append(kept, "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
}

// compress packs a client as well as zstd can. One encoder on one goroutine always makes the same bytes of the same input.
func compress(program []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	packed := encoder.EncodeAll(program, nil)
	return packed, encoder.Close()
}

// install moves the set from scratch into the folder. The manifest goes first and comes last: a run that is interrupted
// in between leaves a folder without clients, never one with a wrong manifest.
func (s set) install(scratch string, m manifest.Manifest) error {
	text, err := m.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(scratch, manifest.FileName), text, 0o644); err != nil { //nolint:gosec // of the source tree
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := s.clear(); err != nil {
		return fmt.Errorf("remove the clients of an earlier run: %w", err)
	}
	names := make([]string, 0, len(s.Platforms)+1)
	for _, p := range s.Platforms {
		names = append(names, p.FileName())
	}
	for _, name := range append(names, manifest.FileName) {
		if err := os.Rename(filepath.Join(scratch, name), filepath.Join(s.Folder, name)); err != nil {
			return fmt.Errorf("put the clients into place: %w", err)
		}
	}
	return nil
}

// clear removes an earlier set from the folder, and nothing else.
func (s set) clear() error {
	err := os.Remove(filepath.Join(s.Folder, manifest.FileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old, err := filepath.Glob(filepath.Join(s.Folder, "*.zst"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
