package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"muster/internal/faults"
)

// diskSize is that of the file system that holds the data directory.
const diskSize = 256 << 20

// disk is a small file system of the bench's own.
type disk struct{ folder string }

// newDisk mounts it. It needs root and the right to mount.
func newDisk(t testing.TB, folder string) (*disk, error) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("muster-faults", folder, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", diskSize)); err != nil {
		return nil, fmt.Errorf("mount a small file system: %w", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	return &disk{folder}, nil
}

// fill leaves no byte free until the fault has lasted, or ctx ends.
func (d *disk) fill(ctx context.Context, f faults.Fault) error {
	name := filepath.Join(d.folder, "full")
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	chunk := make([]byte, 1<<20)
	for len(chunk) > 0 {
		if _, err = file.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk, err = chunk[:len(chunk)/2], nil
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		pause(ctx, f.Hold)
	}
	return errors.Join(err, file.Close(), os.Remove(name))
}
