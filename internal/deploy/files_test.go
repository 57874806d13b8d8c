package deploy_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

// filesTest is a way to get at a host's files, and the folder in which a test is made.
type filesTest struct {
	deploy.Files
	folder string // its name is as odd as a folder's may be
}

func (f *filesTest) path(name string) string { return filepath.Join(f.folder, name) }

func (f *filesTest) write(t *testing.T, name, content string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(f.path(name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.path(name), mode); err != nil {
		t.Fatal(err)
	}
	return f.path(name)
}

// whole is the content of a file, or why there is none.
func whole(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Both ways to a host's files keep the same promises.
func TestFiles(t *testing.T) {
	noisy := func(o *sshtest.Options) {
		o.Env = []string{"ENV=x", "LC_ALL=de_DE.UTF-8", "CDPATH=/usr"}
	}
	for way, open := range map[string]func(*testing.T) deploy.Files{
		"SFTP": func(t *testing.T) deploy.Files {
			files, err := newHost(t, nil).conn.Files(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return files
		},
		"shell": func(t *testing.T) deploy.Files { return deploy.FilesByShell(newHost(t, noisy).conn) },
		"shell after a noisy login": func(t *testing.T) deploy.Files {
			return deploy.FilesByShell(newHost(t, func(o *sshtest.Options) { o.Exec = babbling }).conn)
		},
	} {
		for name, test := range map[string]func(*testing.T, *filesTest){
			"RealPath": testRealPath, "Stat": testStat, "List": testList, "Mkdir": testMkdir,
			"Upload": testUpload, "Download": testDownload, "Rename": testRename, "Remove": testRemove,
		} {
			t.Run(way+"/"+name, func(t *testing.T) {
				folder := filepath.Join(t.TempDir(), `-it's "odd" $HOME \n; !x`)
				if err := os.Mkdir(folder, 0o755); err != nil {
					t.Fatal(err)
				}
				test(t, &filesTest{open(t), folder})
			})
		}
	}
}

func wantIs(t *testing.T, err, target error, words ...string) {
	t.Helper()
	var failed *failure.Error
	if !errors.Is(err, target) || !errors.As(err, &failed) || failed.Kind != failure.FileFailed || failed.Stage != "" {
		t.Errorf("got %v, want a failure that is %v", err, target)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func testRealPath(t *testing.T, f *filesTest) {
	home, err := f.RealPath(t.Context(), ".")
	if err != nil || !filepath.IsAbs(home) {
		t.Errorf("the home is %q, %v", home, err)
	}
	if err := os.Symlink(home, f.path("link")); err != nil {
		t.Fatal(err)
	}
	if got, err := f.RealPath(t.Context(), f.path("link")); got != home || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, home)
	}
	if got, err := f.RealPath(t.Context(), f.folder); got != f.folder || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, f.folder)
	}
	_, err = f.RealPath(t.Context(), f.path("none/none"))
	wantIs(t, err, fs.ErrNotExist)
}

func testStat(t *testing.T, f *filesTest) {
	file := f.write(t, "file", "12345", 0o641)
	if err := os.Symlink(file, f.path("link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, f.path("link")} {
		info, err := f.Stat(t.Context(), path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o641 || info.Size() != 5 || info.IsDir() {
			t.Errorf("%s: got %v, %v", path, info, err)
		}
	}
	if err := os.Chmod(f.folder, 0o775|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat(t.Context(), f.folder)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o775 {
		t.Errorf("got %v, %v", info, err)
	}
	if info, err := f.Stat(t.Context(), "/dev/null"); err != nil || info.Mode().IsRegular() || info.IsDir() {
		t.Errorf("got %v, %v", info, err)
	}
	_, err = f.Stat(t.Context(), f.path("none"))
	wantIs(t, err, fs.ErrNotExist, "none")
}

func testList(t *testing.T, f *filesTest) {
	names := []string{"-delete", "-rf", ".muster-upload-x", "a b  c", "it's", "muster-client-1", `o\nd"d$(x)`}
	then := time.Now().Add(-1000 * time.Hour).Truncate(time.Second)
	for _, name := range names {
		if err := os.Chtimes(f.write(t, name, name, 0o600), then, then); err != nil {
			t.Fatal(err)
		}
	}
	list, err := f.List(t.Context(), f.folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, info := range list {
		got = append(got, info.Name())
		if !info.ModTime().Equal(then) || !info.Mode().IsRegular() {
			t.Errorf("got %v of %v, want %v", info.Mode(), info.ModTime(), then)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		t.Errorf("got %q, want %q", got, names)
	}
	if err := os.Mkdir(f.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(f.path("it's"), f.path("link")); err != nil {
		t.Fatal(err)
	}
	list, err = f.List(t.Context(), f.folder)
	if err != nil || slices.ContainsFunc(list, func(i fs.FileInfo) bool {
		return i.Mode().IsRegular() && (i.Name() == "folder" || i.Name() == "link")
	}) {
		t.Errorf("got %v, %v", list, err)
	}
	_, err = f.List(t.Context(), f.path("none"))
	wantIs(t, err, fs.ErrNotExist)
}

func testMkdir(t *testing.T, f *filesTest) {
	for range 2 {
		if err := f.Mkdir(t.Context(), f.path("a/b c")); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"a", "a/b c"} {
		if info, err := os.Stat(f.path(folder)); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: got %v, %v", folder, info.Mode(), err)
		}
	}
	if err := f.Mkdir(t.Context(), f.folder); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(f.folder); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("a folder that was there got the mode %v, %v", info.Mode(), err)
	}
	wantIs(t, f.Mkdir(t.Context(), f.write(t, "file", "", 0o600)), fs.ErrExist)
}

func testUpload(t *testing.T, f *filesTest) {
	content := append(bytes.Repeat([]byte("\x00\r\n\xff\x1b!'\"$\\"), 60_000), "no line end"...)
	size := int64(len(content))
	if err := f.Upload(t.Context(), f.path("file"), bytes.NewReader(content), size, 0o700); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(f.path("file")); err != nil || info.Mode() != 0o700 || whole(f.path("file")) != string(content) {
		t.Errorf("got %v, %v, or another content", info.Mode(), err)
	}
	there := f.write(t, "there", "mine", 0o600)
	wantIs(t, f.Upload(t.Context(), there, bytes.NewReader(content), size, 0o700), fs.ErrExist)
	if got := whole(there); got != "mine" {
		t.Errorf("what was there has become %d bytes", len(got))
	}
	wantIs(t, f.Upload(t.Context(), f.path("none/file"), bytes.NewReader(content), size, 0o700), fs.ErrNotExist)
	for _, announced := range []int64{size - 1, size + 1} {
		if err := f.Upload(t.Context(), f.path("odd"), bytes.NewReader(content), announced, 0o700); err == nil {
			t.Errorf("%d bytes pass for %d", size, announced)
		}
		if _, err := os.Stat(f.path("odd")); err == nil {
			t.Error("half a file stays")
		}
	}
	if err := f.Upload(t.Context(), f.path("empty"), bytes.NewReader(nil), 0, 0o600); err != nil || whole(f.path("empty")) != "" {
		t.Errorf("an empty file: %v", err)
	}
}

func testDownload(t *testing.T, f *filesTest) {
	content := strings.Repeat("\x00\r\n\xff muster-answer \n", 30_000)
	file := f.write(t, "file", content, 0o600)
	size := int64(len(content))
	for _, limit := range []int64{size, size + 100} {
		got, err := f.Download(t.Context(), file, limit)
		if err != nil || string(got) != content {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	}
	var failed *failure.Error
	if _, err := f.Download(t.Context(), file, size-1); !errors.As(err, &failed) || failed.Kind != failure.ReportTooLarge {
		t.Errorf("got %v", err)
	}
	if got, err := f.Download(t.Context(), f.write(t, "empty", "", 0o600), 1); err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := f.Download(t.Context(), f.folder, 1<<20); err == nil {
		t.Error("a folder was read")
	}
	if _, err := f.Download(t.Context(), f.path("none"), 1); err == nil {
		t.Error("nothing was read")
	}
}

func testRename(t *testing.T, f *filesTest) {
	from, to := f.write(t, "from", "new", 0o600), f.write(t, "to", "old", 0o600)
	if err := f.Rename(t.Context(), from, to); err != nil || whole(to) != "new" {
		t.Errorf("%v, %s", err, whole(to))
	}
	wantIs(t, f.Rename(t.Context(), from, to), fs.ErrNotExist)
	if err := os.Mkdir(f.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Rename(t.Context(), to, f.path("folder")); err == nil || whole(to) != "new" {
		t.Errorf("into a folder: %v, %s", err, whole(to))
	}
}

func testRemove(t *testing.T, f *filesTest) {
	file := f.write(t, "file", "", 0o400)
	if err := f.Remove(t.Context(), file); err != nil {
		t.Error(err)
	}
	wantIs(t, f.Remove(t.Context(), file), fs.ErrNotExist)
	if err := os.MkdirAll(f.path("a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(f.path("a"), f.path("link")); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(t.Context(), f.path("a")); err == nil {
		t.Error("a folder with something in it was removed")
	}
	for _, name := range []string{"link", "a/b", "a"} {
		if err := f.Remove(t.Context(), f.path(name)); err != nil {
			t.Error(err)
		}
	}
	if left := files(t, f.folder); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}
