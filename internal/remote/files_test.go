package remote_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

func TestFilesWhereThereIsNoSFTP(t *testing.T) {
	noLeak(t)
	for name, o := range map[string]sshtest.Options{
		"no sessions":      {Refuse: sshtest.Refuse("session")},
		"no subsystem":     {Refuse: sshtest.Refuse("sftp")},
		"it ends at once":  {SFTP: sshtest.Answer("", 127)},
		"it talks":         {SFTP: sshtest.Answer("Last login: yesterday\nWelcome!\n", 0)},
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

// packet is an SFTP packet.
func packet(kind byte, parts ...[]byte) []byte {
	body := append([]byte{kind}, bytes.Join(parts, nil)...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// text is an SSH string.
func text(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }

// scripted serves SFTP by answering each request, of a type and with an id, with what answer says.
func scripted(answer func(kind byte, id []byte) []byte) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		for {
			var head [4]byte
			if _, err := io.ReadFull(s.Stdin, head[:]); err != nil {
				return sshtest.Exit{}
			}
			body := make([]byte, binary.BigEndian.Uint32(head[:]))
			if _, err := io.ReadFull(s.Stdin, body); err != nil {
				return sshtest.Exit{}
			}
			reply := packet(2, []byte{0, 0, 0, 3}) // SSH_FXP_VERSION
			if body[0] != 1 {                      // SSH_FXP_INIT
				reply = answer(body[0], body[1:5])
			}
			if _, err := s.Stdout.Write(reply); err != nil {
				return sshtest.Exit{}
			}
		}
	}
}

// The packets of SFTP version 3 that the scripts use.
const (
	fxpOpen, fxpClose, fxpRead, fxpFstat, fxpOpendir, fxpReaddir = 3, 4, 5, 8, 11, 12
	fxpStatus, fxpHandle, fxpData, fxpName, fxpAttrs             = 101, 102, 103, 104, 105
)

// liar serves a file that claims to have a size, and delivers what read returns for each request.
func liar(size uint64, read func(id []byte) []byte) sshtest.Handler {
	return scripted(func(kind byte, id []byte) []byte {
		switch kind {
		case fxpOpen:
			return packet(fxpHandle, id, text("h"))
		case fxpFstat: // the size, and the mode of a regular file
			return packet(fxpAttrs, id, []byte{0, 0, 0, 5}, binary.BigEndian.AppendUint64(nil, size), []byte{0, 0, 0o201, 0})
		case fxpRead:
			return read(id)
		}
		return packet(fxpStatus, id, make([]byte, 4), text(""), text(""))
	})
}

func TestDownloadFromAHostThatLies(t *testing.T) {
	noLeak(t)
	end := func(id []byte) []byte { return packet(fxpStatus, id, []byte{0, 0, 0, 1}, text(""), text("")) }
	more := func(id []byte) []byte { return packet(fxpData, id, text(strings.Repeat("x", 32<<10))) }
	for _, c := range []struct {
		name string
		size uint64
		read func([]byte) []byte
		kind failure.Kind
	}{
		{"a size beyond all bounds", 1 << 62, end, failure.ReportTooLarge},
		{"a size that is negative", 1 << 63, end, failure.ReportTooLarge},
		{"less than it said", 1000, end, failure.FileFailed},
		{"more than it said", 1000, more, failure.ReportTooLarge},
		{"never an end", 900_000, more, failure.ReportTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, _ := openFiles(t, sshtest.Options{SFTP: liar(c.size, c.read)})
			content, err := files.Download(within(t), "report", 1<<20)
			want{kind: c.kind}.check(t, err)
			if content != nil {
				t.Errorf("%d bytes are returned with an error", len(content))
			}
		})
	}
}

func TestListOfAnEndlessFolder(t *testing.T) {
	noLeak(t)
	entry := slices.Concat(text(strings.Repeat("n", 200)), text("long"), make([]byte, 4))
	files, _ := openFiles(t, sshtest.Options{SFTP: scripted(func(kind byte, id []byte) []byte {
		if kind == fxpOpendir {
			return packet(fxpHandle, id, text("h"))
		}
		return packet(fxpName, id, []byte{0, 0, 0, 100}, bytes.Repeat(entry, 100))
	})})
	_, err := files.List(within(t), ".")
	want{kind: failure.FileFailed, says: []string{"longer than any right answer"}}.check(t, err)
}

func TestFilesEndWithTheContextOfAnOperation(t *testing.T) {
	noLeak(t)
	silent := scripted(func(byte, []byte) []byte { return nil })
	for name, operation := range map[string]func(context.Context, *remote.Files) error{
		"Stat": func(ctx context.Context, f *remote.Files) error {
			_, err := f.Stat(ctx, "x")
			return err
		},
		"Download": func(ctx context.Context, f *remote.Files) error {
			_, err := f.Download(ctx, "x", 1)
			return err
		},
		"Upload": func(ctx context.Context, f *remote.Files) error {
			return f.Upload(ctx, "x", strings.NewReader("x"), 1, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, _ := openFiles(t, sshtest.Options{SFTP: silent})
			ctx, cancel := context.WithTimeout(t.Context(), short)
			defer cancel()
			want{kind: failure.Timeout}.check(t, operation(ctx, files))
			_, err := files.Stat(within(t), "x")
			want{kind: failure.Timeout}.check(t, err) // why the connection ended stays known
		})
	}
}
