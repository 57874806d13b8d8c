package store

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func testBackup(t *testing.T, x *target) {
	s := x.open(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "it's a backup?.db")
	if x.server != nil {
		if _, err := s.Backup(t.Context(), path); !errors.Is(err, ErrNoBackup) {
			t.Errorf("the error is %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is a file: %v", err)
		}
		return
	}
	save(t, s, fleet(noon(), 10, 10)...)
	size, err := s.Backup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != size || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%d bytes, %v, %v", size, info, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, fleet(noon().Add(time.Minute), 10, 10)...)
	if _, err := s.Backup(t.Context(), path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second backup to the same file: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the first backup was changed: %v", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}

	// The backup is a database, and the original goes on.
	copied := openStore(t, Options{URL: "sqlite:" + path})
	want := map[string]int{"hosts": 10, "series": 100, "sweeps": 1, "visits": 10, "statistics": 100}
	if got := counts(t, copied); !maps.Equal(got, want) {
		t.Errorf("the backup has %v, want %v", got, want)
	}
	if problems, _ := verify(t, copied); len(problems) > 0 {
		t.Errorf("the backup has problems: %v", problems)
	}
	save(t, copied, fleet(noon().Add(time.Hour), 10, 10)...)
	if n := count(t, s, "visits"); n != 20 {
		t.Errorf("the original has %d visits", n)
	}
}

// TestBackupWhileWriting takes backups while visits are saved: each holds whole batches.
func TestBackupWhileWriting(t *testing.T) {
	x := &target{}
	s := x.open(t)
	save(t, s, fleet(noon(), 20, 20)...)
	ctx, cancel := context.WithCancel(t.Context())
	saved := make(chan int)
	go func() {
		n := 1
		for ; ctx.Err() == nil; n++ {
			if err := s.Save(t.Context(), fleet(noon().Add(time.Duration(n)*time.Minute), 20, 20)); err != nil {
				t.Error(err)
				break
			}
		}
		saved <- n
	}()
	folder := t.TempDir()
	for i := range 5 {
		path := filepath.Join(folder, encode(i))
		if _, err := s.Backup(t.Context(), path); err != nil {
			t.Error(err)
			continue
		}
		copied := openStore(t, Options{URL: "sqlite:" + path, AsIs: true})
		got := counts(t, copied)
		n := got["sweeps"]
		want := map[string]int{"hosts": 20, "series": 400, "sweeps": n, "visits": 20 * n, "statistics": 400 * n}
		if !maps.Equal(got, want) || n < 1 {
			t.Errorf("backup %d has %v", i, got)
		}
		if problems, _ := verify(t, copied); len(problems) > 0 {
			t.Errorf("backup %d has problems: %v", i, problems)
		}
	}
	cancel()
	if n := <-saved; count(t, s, "sweeps") != n {
		t.Errorf("%d of %d sweeps were saved", count(t, s, "sweeps"), n)
	}
}

// TestBackupFails: what fails leaves nothing behind.
func TestBackupFails(t *testing.T) {
	x := &target{}
	s := x.open(t)
	save(t, s, fleet(noon(), 20, 20)...)
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Backup(ctx, filepath.Join(folder, "a")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s.Backup(t.Context(), filepath.Join(folder, "none", "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := os.Symlink("nowhere", filepath.Join(folder, "link")); err == nil {
		if _, err := s.Backup(t.Context(), filepath.Join(folder, "link")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a link to nowhere: %v", err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "link" {
			t.Errorf("%s was left", entry.Name())
		}
	}
}

// TestBackupIsPublishedOnce: of two that finish at once one wins, on file systems with links.
func TestBackupIsPublishedOnce(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "backup")
	if err := publish(filepath.Join(folder, "a"), path); err != nil {
		t.Fatal(err)
	}
	if err := publish(filepath.Join(folder, "b"), path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second: %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "a" {
		t.Errorf("the backup is %q, %v", content, err)
	}
}

func TestSpaceOfTheFile(t *testing.T) {
	x := &target{}
	s := x.open(t)
	save(t, s, fleet(noon(), 50, 40)...)
	full := usage(t, s, noon(), 1)
	prune(t, s, noon().Add(time.Hour))
	freed := usage(t, s, noon(), 1)
	if freed.Bytes < full.Bytes || freed.Free <= full.Free {
		t.Errorf("of %d bytes %d are free, before %d of %d", freed.Bytes, freed.Free, full.Free, full.Bytes)
	}
	// What is free is used again, and the backup is without it.
	save(t, s, fleet(noon().Add(time.Hour), 50, 40)...)
	if again := usage(t, s, noon(), 1); again.Bytes > full.Bytes+full.Bytes/10 {
		t.Errorf("%d bytes, before %d", again.Bytes, full.Bytes)
	}
	prune(t, s, noon().Add(2*time.Hour))
	size, err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "b"))
	if err != nil || size >= freed.Bytes-freed.Free/2 {
		t.Errorf("the backup has %d bytes of %d: %v", size, freed.Bytes, err)
	}
}
