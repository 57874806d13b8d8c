package remote_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// openFiles returns the SFTP session of a connection to a server with a home folder.
func openFiles(t testing.TB, o sshtest.Options) (files *remote.Files, home string) {
	t.Helper()
	o.Home = t.TempDir()
	conn := dial(t, options(t, newServer(t, o)))
	files, err := conn.Files(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := conn.Files(within(t)); err != nil || again != files {
		t.Errorf("a second call opens another session, %v", err)
	}
	return files, o.Home
}

// upload uploads a small file.
func upload(t testing.TB, files *remote.Files, name, content string) {
	t.Helper()
	if err := files.Upload(within(t), name, strings.NewReader(content), int64(len(content)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUploadAndDownload(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	for name, size := range map[string]int{"empty": 0, "small": 5, "one packet": 32 << 10, "odd": 100_001, "large": 9 << 20} {
		t.Run(name, func(t *testing.T) {
			content := make([]byte, size)
			for i := range content {
				content[i] = byte(i * 7 >> 3)
			}
			if err := files.Upload(within(t), name, bytes.NewReader(content), int64(size), 0o750); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(home, name)
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o750 {
				t.Errorf("got %v, %v", info, err)
			}
			if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("%d bytes arrived, %v", len(kept), err)
			}
			got, err := files.Download(within(t), name, int64(size))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
		})
	}
}

func TestUploadNeverTouchesAFileThatExists(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	upload(t, files, "client", "old")
	err := files.Upload(within(t), "client", strings.NewReader("new"), 3, 0o600)
	want{kind: failure.FileFailed, says: []string{`"client"`}}.check(t, err)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v is not fs.ErrExist", err)
	}
	if got, err := os.ReadFile(filepath.Join(home, "client")); string(got) != "old" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestUploadThatFailsLeavesNothing(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	broken := errors.New("the disk is on fire")
	for name, c := range map[string]struct {
		content io.Reader
		size    int64
		cause   error
	}{
		"too short":     {strings.NewReader("abc"), 4, io.ErrUnexpectedEOF},
		"too long":      {strings.NewReader("abcde"), 4, io.ErrUnexpectedEOF},
		"an error":      {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), 6, broken},
		"a later error": {io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), iotest.ErrReader(broken)), 2 << 20, broken},
	} {
		t.Run(name, func(t *testing.T) {
			err := files.Upload(within(t), "file", c.content, c.size, 0o600)
			if !errors.Is(err, c.cause) {
				t.Errorf("got %v", err)
			}
			if left, err := os.ReadDir(home); len(left) > 0 || err != nil {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

func TestDownloadIsBounded(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	upload(t, files, "report", strings.Repeat("x", 1001))
	_, err := files.Download(within(t), "report", 1000)
	want{kind: failure.ReportTooLarge, says: []string{"1001", "1000"}}.check(t, err)
	if err := os.Mkdir(filepath.Join(home, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = files.Download(within(t), "folder", 1000)
	want{kind: failure.FileFailed}.check(t, err)
}

func TestFilesThatAreMissing(t *testing.T) {
	noLeak(t)
	files, _ := openFiles(t, sshtest.Options{})
	ctx := within(t)
	_, stat := files.Stat(ctx, "missing")
	_, download := files.Download(ctx, "missing", 10)
	_, list := files.List(ctx, "missing")
	for name, err := range map[string]error{
		"Stat": stat, "Download": download, "List": list,
		"Rename": files.Rename(ctx, "missing", "other"),
		"Remove": files.Remove(ctx, "missing"),
		"Upload": files.Upload(ctx, "missing/file", strings.NewReader(""), 0, 0o600),
	} {
		found := want{kind: failure.FileFailed, says: []string{"missing"}}.check(t, err)
		if !errors.Is(found, fs.ErrNotExist) {
			t.Errorf("%s: %v is not fs.ErrNotExist", name, err)
		}
	}
}

func TestMkdir(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	if err := os.Mkdir(filepath.Join(home, "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := files.Mkdir(within(t), "mine/a/b/"); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Mkdir(within(t), filepath.Join(home, "c")); err != nil {
		t.Error(err)
	}
	for name, mode := range map[string]fs.FileMode{"mine": 0o755, "mine/a": 0o700, "mine/a/b": 0o700, "c": 0o700} {
		if info, err := os.Stat(filepath.Join(home, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
	upload(t, files, "file", "x")
	for _, folder := range []string{"file", "file/in it"} {
		if err := files.Mkdir(within(t), folder); err == nil {
			t.Errorf("%s: a folder in place of a file", folder)
		}
	}
}

func TestRenameReplaces(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	upload(t, files, "new", "new")
	upload(t, files, "old", "old")
	if err := files.Rename(within(t), "new", "old"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(home, "old")); string(got) != "new" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(home, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name is still there: %v", err)
	}
}

func TestListStatAndRemove(t *testing.T) {
	noLeak(t)
	files, home := openFiles(t, sshtest.Options{})
	upload(t, files, "b", "12345")
	upload(t, files, "a", "")
	if err := files.Mkdir(within(t), "c"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, files, "."); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %v", got)
	}
	if info, err := files.Stat(within(t), "b"); err != nil || info.Size() != 5 || info.IsDir() {
		t.Errorf("got %v, %v", info, err)
	}
	if path, err := files.RealPath(within(t), "."); err != nil || path != home {
		t.Errorf("got %q, %v; want %q", path, err, home)
	}
	for _, name := range []string{"b", "c"} { // a file, and an empty folder
		if err := files.Remove(within(t), name); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, files, home); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %v", got)
	}
}

func names(t *testing.T, files *remote.Files, folder string) []string {
	t.Helper()
	list, err := files.List(within(t), folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range list {
		names = append(names, info.Name())
	}
	slices.Sort(names)
	return names
}

func TestFilesTakeTurns(t *testing.T) {
	noLeak(t)
	files, _ := openFiles(t, sshtest.Options{})
	var operations sync.WaitGroup
	for i := range 20 {
		operations.Go(func() {
			content := bytes.Repeat([]byte{byte(i)}, 100_000)
			name := string(rune('a' + i))
			if err := files.Upload(within(t), name, bytes.NewReader(content), int64(len(content)), 0o600); err != nil {
				t.Error(err)
			}
			if got, err := files.Download(within(t), name, 1<<20); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	operations.Wait()
}

// What a login script prints comes before SFTP, and is no reason to look for the subsystem.
func TestFilesAfterNoise(t *testing.T) {
	noLeak(t)
	for name, said := range map[string]string{"a line": "Last login: yesterday\nWelcome!\n", "a letter": "é"} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, options(t, newServer(t, sshtest.Options{SFTP: sshtest.Answer(said, 0)})))
			_, err := conn.Files(within(t))
			want{kind: failure.Noise, says: []string{strconv.Quote(said)}, advice: []string{"login script"}}.check(t, err)
		})
	}
}

func TestFilesWhereThereIsNoSFTP(t *testing.T) {
	noLeak(t)
	for name, o := range map[string]sshtest.Options{
		"no sessions":      {Refuse: sshtest.Refuse("session")},
		"no subsystem":     {Refuse: sshtest.Refuse("sftp")},
		"it ends at once":  {SFTP: sshtest.Answer("", 127)},
		"it is another":    {SFTP: sshtest.Answer("\x00\x00\x00\x05\x02\x00\x00\x00\x09", 0)},
		"it sends garbage": {SFTP: sshtest.Answer(strings.Repeat("\xff", 1000), 0)},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, options(t, newServer(t, o)))
			_, err := conn.Files(within(t))
			want{kind: failure.NoSFTP, advice: []string{"sshd_config"}}.check(t, err)
			if name == "no sessions" {
				return
			}
			if _, err := conn.Output(within(t), "true", nil); err != nil {
				t.Errorf("the connection is of no more use: %v", err)
			}
		})
	}
}
