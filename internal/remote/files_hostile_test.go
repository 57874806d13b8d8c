package remote_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

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
	fxpOpen, fxpRead, fxpWrite, fxpFstat, fxpOpendir, fxpRemove, fxpRename = 3, 5, 6, 8, 11, 13, 18
	fxpStatus, fxpHandle, fxpData, fxpName, fxpAttrs                       = 101, 102, 103, 104, 105
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

func TestUploadToAHostThatKeepsLess(t *testing.T) {
	noLeak(t)
	var removed atomic.Bool
	files, _ := openFiles(t, sshtest.Options{SFTP: scripted(func(kind byte, id []byte) []byte {
		switch kind {
		case fxpOpen:
			return packet(fxpHandle, id, text("h"))
		case fxpFstat:
			return packet(fxpAttrs, id, []byte{0, 0, 0, 1}, binary.BigEndian.AppendUint64(nil, 2))
		case fxpRemove:
			removed.Store(true)
		}
		return packet(fxpStatus, id, make([]byte, 4), text(""), text(""))
	})})
	err := files.Upload(within(t), "client", strings.NewReader("abc"), 3, 0o600)
	if found := (want{kind: failure.FileFailed, says: []string{"2 of 3 bytes"}}).check(t, err); !errors.Is(found, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
	if !removed.Load() {
		t.Error("the file is left")
	}
}

// TestRenameWithoutTheExtension has a host that knows the draft's rename alone.
// Version 3 of SFTP has no code for a quota: some servers have that of a later version, others have the system's words.
func TestUploadBeyondAQuota(t *testing.T) {
	noLeak(t)
	for name, c := range map[string]struct {
		code  byte
		words string
		kind  failure.Kind
	}{
		"a code for it":            {15, "", failure.Quota},
		"a code for a full disk":   {14, "", failure.DiskFull},
		"Linux's words":            {4, "Disk quota exceeded", failure.Quota},
		"FreeBSD's words":          {4, "Disc quota exceeded", failure.Quota},
		"Go's words":               {4, "write x: disk quota exceeded", failure.Quota},
		"words for a full disk":    {4, "No space left on device", failure.DiskFull},
		"Windows's words for that": {4, "There is not enough space on the disk.", failure.DiskFull},
		"neither":                  {4, "Failure", failure.FileFailed},
	} {
		t.Run(name, func(t *testing.T) {
			files, _ := openFiles(t, sshtest.Options{SFTP: scripted(func(kind byte, id []byte) []byte {
				switch kind {
				case fxpOpen:
					return packet(fxpHandle, id, text("h"))
				case fxpWrite:
					return packet(fxpStatus, id, []byte{0, 0, 0, c.code}, text(c.words), text(""))
				}
				return packet(fxpStatus, id, make([]byte, 4), text(""), text(""))
			})})
			err := files.Upload(within(t), "client", strings.NewReader("x"), 1, 0o700)
			want{kind: c.kind, says: []string{"client"}}.check(t, err)
		})
	}
}

func TestRenameWithoutTheExtension(t *testing.T) {
	noLeak(t)
	files, _ := openFiles(t, sshtest.Options{SFTP: scripted(func(kind byte, id []byte) []byte {
		status := byte(0)
		if kind != fxpRename {
			status = 8 // SSH_FX_OP_UNSUPPORTED
		}
		return packet(fxpStatus, id, []byte{0, 0, 0, status}, text(""), text(""))
	})})
	if err := files.Rename(within(t), "a", "b"); err != nil {
		t.Error(err)
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
