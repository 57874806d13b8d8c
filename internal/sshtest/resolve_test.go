package sshtest_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"muster/internal/sshtest"
)

// It is what OpenSSH answers, too, but for a link to nothing, of which that returns where it would lead.
func TestRealPathFollowsLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its paths are left as they are")
	}
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(home, "real/folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"link": "real", "absolute": filepath.Join(home, "real"), "nowhere": "missing", "round": "round",
	} {
		if err := os.Symlink(target, filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	client, err := connect(t, start(t, sshtest.Options{Home: home, Password: "right"}), "anybody", ssh.Password("right"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = files.Close() }()
	for name, want := range map[string]string{
		".": home, "": home, "link": home + "/real", "link/folder": home + "/real/folder", "absolute/folder/..": home + "/real",
		home + "/link/folder": home + "/real/folder", "link/missing": home + "/real/missing", "/": "/",
		"link/missing/folder": "", "nowhere": "", "round": "",
	} {
		got, err := files.RealPath(name)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
	}

	// All other packets pass as they are, whatever their length.
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	file, err := files.Create("link/file")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.ReadFrom(bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = files.Open("real/file"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes come back, %v; want %d", len(got), err, len(content))
	}
}
