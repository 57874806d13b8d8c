package deploy_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/sshtest"
)

const windowsHome = "/C:/Users/Jane Doe"

var windowsPlatform = deploy.Platform{OS: "windows", Arch: "amd64"}

// driveFiles serves a folder by SFTP as Windows does: its paths are those below /C:/Users/Jane Doe, there are no modes, and
// a file that exists is not renamed over.
func driveFiles(folder string) sshtest.Handler {
	return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		d := drive{folder}
		handlers := sftp.Handlers{FileGet: d, FilePut: d, FileCmd: d, FileList: d}
		server := sftp.NewRequestServer(s.Channel, handlers, sftp.WithStartDirectory(windowsHome))
		release := context.AfterFunc(ctx, func() { _ = s.Channel.Close() })
		defer release()
		_ = server.Serve()
		return sshtest.Exit{}
	}
}

type drive struct{ folder string }

// running is the mode of a file that is taken for a program that runs: it can be renamed, and not removed.
const running = 0o500

func (d drive) path(name string) (string, error) {
	rest, ok := strings.CutPrefix(name, windowsHome)
	if !ok {
		return "", fs.ErrPermission
	}
	return filepath.Join(d.folder, rest), nil
}

func (d drive) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	path, err := d.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

func (d drive) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	path, err := d.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d drive) Filecmd(r *sftp.Request) error {
	path, err := d.path(r.Filepath)
	if err != nil {
		return err
	}
	switch r.Method {
	case "Setstat":
		return nil
	case "Mkdir":
		return os.Mkdir(path, 0o700)
	case "Remove":
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() == running {
			return fs.ErrPermission
		}
		return os.Remove(path)
	case "Rename":
		target, err := d.path(r.Target)
		if err != nil {
			return err
		}
		if _, err := os.Stat(target); err == nil {
			return fs.ErrPermission
		}
		return os.Rename(path, target)
	}
	return sftp.ErrSSHFxOpUnsupported
}

func (d drive) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	path, err := d.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	if r.Method != "List" {
		info, err := os.Stat(path)
		return list{info}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var infos list
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			infos = append(infos, info)
		}
	}
	return infos, nil
}

type list []fs.FileInfo

func (l list) ListAt(to []fs.FileInfo, from int64) (int, error) {
	if from >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[from:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

// cmdExe runs certutil and the client as cmd.exe does: the path has backslashes and begins in the home.
func cmdExe(folder string) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		words := strings.Fields(s.Command)
		if strings.Contains(s.Command, "/") || len(words) < 2 {
			return notRecognised(s)
		}
		if words[0] == "certutil" {
			content, err := os.ReadFile(filepath.Join(folder, strings.ReplaceAll(words[2], `\`, "/")))
			if err != nil {
				return sshtest.Exit{Status: 1}
			}
			fmt.Fprintf(s.Stdout, "SHA256 hash of %s:\r\n%x\r\nCertUtil: -hashfile command completed successfully.\r\n",
				words[2], sha256.Sum256(content))
			return sshtest.Exit{}
		}
		if _, err := os.Stat(filepath.Join(folder, strings.ReplaceAll(words[0], `\`, "/"))); err != nil {
			return notRecognised(s)
		}
		_, _ = io.WriteString(s.Stdout, "1.0\r\n")
		return sshtest.Exit{}
	}
}

func notRecognised(s *sshtest.Session) sshtest.Exit {
	_, _ = io.WriteString(s.Stderr, "'x' is no internal or external command,\r\n")
	return sshtest.Exit{Status: 1}
}

func newWindowsHost(t *testing.T, shell func(folder string) sshtest.Handler) (*host, string) {
	t.Helper()
	folder := t.TempDir()
	return newHost(t, func(o *sshtest.Options) {
		o.SFTP = driveFiles(folder)
		o.Exec = shell(folder)
	}), folder
}

func windowsClients(t *testing.T, program string) *deploy.Clients {
	t.Helper()
	return deploytest.Set(t, "1.0", map[deploy.Platform]string{windowsPlatform: program})
}
