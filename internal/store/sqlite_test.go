package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestSQLiteFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	folder := filepath.Join(t.TempDir(), "a b", "50%?x=1#c")
	file := filepath.Join(folder, "mus?ter%20#.db")
	s := openStore(t, Options{URL: "sqlite:" + file})
	save(t, s, fleet(noon(), 2, 2)...)
	for path, want := range map[string]os.FileMode{folder: 0o700, file: 0o600, file + "-wal": 0o600, file + "-shm": 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// TestSQLiteIsDurable: a commit waits for the disk, on every connection of the pool.
func TestSQLiteIsDurable(t *testing.T) {
	x := &target{}
	s := x.open(t)
	for range maxConnections {
		conn, err := s.pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "busy_timeout": "10000"} {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
		}
	}
}

func TestSQLiteFilesThatCanNotBeUsed(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "notes.txt")
	if err := os.WriteFile(text, []byte("this is no database, whatever its name may be"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a text": text, "a folder": folder, "below a file": filepath.Join(text, "muster.db"),
	} {
		s, err := Open(t.Context(), Options{URL: "sqlite:" + path})
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		if strings.Contains(err.Error(), "check that the server runs") {
			t.Errorf("%s: the advice is for servers: %v", name, err)
		}
	}
	if got, err := os.ReadFile(text); err != nil || string(got) != "this is no database, whatever its name may be" {
		t.Errorf("the text is now %q, %v", got, err)
	}
}

// TestSQLiteFull: a full disk is no reason to throw visits away.
func TestSQLiteFull(t *testing.T) {
	x := &target{}
	s := x.open(t)
	s.pool.SetMaxOpenConns(1) // the limit is the connection's
	save(t, s, fleet(noon(), 2, 2)...)
	pages := queryOne[int](t, s, "PRAGMA page_count")
	if got := queryOne[int](t, s, "PRAGMA max_page_count = "+encode(pages+2)); got != pages+2 {
		t.Fatalf("the limit is %d pages", got)
	}
	visits := fleet(noon().Add(time.Minute), scaled(500, 100), 20)
	if err := s.Save(t.Context(), visits); !errors.Is(err, ErrUnavailable) {
		t.Errorf("on a full disk: %v, want ErrUnavailable", err)
	}
	if n := count(t, s, "visits"); n != 2 {
		t.Errorf("%d visits are there, want the 2 of before", n)
	}
	queryOne[int](t, s, "PRAGMA max_page_count = 1000000")
	save(t, s, visits...)
}
