package deploy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

const (
	oldVersion  = 7 * 24 * time.Hour // when another version is taken to be out of use
	mostRemoved = 100                // files that one installation tidies away
)

// upload leaves the client in a place, whole and under its name, and tells whether it had to be uploaded for that.
func (i *installation) upload(ctx context.Context, p place) (bool, *failure.Error) {
	final := p.file(i.name())
	there, failed := i.holds(ctx, p, i.name())
	if there || failed != nil {
		return false, failed
	}
	program, err := i.client.program(i.folder)
	if err != nil {
		return false, failure.New(failure.Deploy, failure.Internal, err)
	}
	defer runtime.KeepAlive(program) // others who upload meanwhile find it; its bytes alone would not keep it
	temporary := i.temporary()
	err = i.files.Upload(ctx, p.file(temporary), bytes.NewReader(program.bytes), i.client.Size, 0o700)
	if err != nil {
		return false, i.explainUpload(ctx, p, temporary, at(failure.Deploy, err))
	}
	failed = i.verify(ctx, p, temporary)
	if failed == nil {
		failed = i.rename(ctx, p, temporary, final)
	}
	if failed != nil {
		_ = i.files.Remove(ctx, p.file(temporary))
		return false, failed
	}
	return true, nil
}

// explainUpload finds out why a file could not be written where SFTP has no word for it, as OpenSSH's has none for a quota:
// the host's dd is asked to write as much, and what it says is read.
func (i *installation) explainUpload(ctx context.Context, p place, name string, failed *failure.Error) *failure.Error {
	if failed.Kind != failure.FileFailed || i.windows() || errors.Is(failed, fs.ErrNotExist) || errors.Is(failed, fs.ErrExist) {
		return failed
	}
	const block = 64 << 10
	file := remote.Quote(p.file(name))
	answer, err := i.conn.Output(ctx, fmt.Sprintf("env LC_ALL=C dd if=/dev/zero of=%s bs=%d count=%d; rm -f %s",
		file, block, (i.client.Size+block-1)/block, file), nil)
	if err != nil {
		return failed
	}
	words := string(answer.Stderr) + string(answer.Stdout)
	if shortage := remote.Shortage(words); shortage != nil {
		return failure.New(failure.Deploy, shortage.Kind, fmt.Errorf("%w: %w", shortage.Err, failed.Err))
	}
	return failed
}

func random(length int) []byte {
	b := make([]byte, length)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// holds tells whether a place has the client under the given name, byte for byte. Something else of that name is not it.
func (i *installation) holds(ctx context.Context, p place, name string) (bool, *failure.Error) {
	info, err := i.files.Stat(ctx, p.file(name))
	if err != nil {
		return false, lost(err)
	}
	if !i.whole(info) {
		return false, nil
	}
	failed := i.verify(ctx, p, name)
	if failed != nil && failed.Kind.IsInterruption() {
		return false, failed
	}
	return failed == nil, nil
}

// rename gives the client its name. Where the name is taken and can't be replaced, somebody else was faster: then theirs is
// as good as ours. If it is not, it is damaged, and goes.
func (i *installation) rename(ctx context.Context, p place, temporary, final string) *failure.Error {
	err := i.files.Rename(ctx, p.file(temporary), final)
	if err == nil {
		return nil
	}
	if failed := lost(err); failed != nil {
		return failed
	}
	there, failed := i.holds(ctx, p, i.name())
	if failed != nil {
		return failed
	}
	if there {
		_ = i.files.Remove(ctx, p.file(temporary))
		return nil
	}
	i.clear(ctx, p, final)
	if err := i.files.Rename(ctx, p.file(temporary), final); err != nil {
		return i.gone(ctx, p, temporary, at(failure.Deploy, err))
	}
	return nil
}

// clear removes a damaged client. A program that runs can't be removed on Windows, but it can be renamed: under the name of
// an upload it goes when it is old.
func (i *installation) clear(ctx context.Context, p place, final string) {
	if i.files.Remove(ctx, final) != nil {
		_ = i.files.Rename(ctx, final, p.file(i.temporary()))
	}
}

// temporary returns a name that nobody else has.
func (i *installation) temporary() string {
	name := report.UploadPrefix + hex.EncodeToString(random(8))
	if i.windows() {
		name += ".exe"
	}
	return name
}

// verify compares the SHA-256 of an uploaded file with the client's. The host's own tool is asked first, which spares the
// way back; a host without one has the file read back.
func (i *installation) verify(ctx context.Context, p place, name string) *failure.Error {
	answer, err := i.conn.Output(ctx, i.hashCommand(p, name), nil)
	if failed := lost(err); failed != nil {
		return failed
	}
	sum := ""
	if err == nil && answer.Status == 0 {
		sum = findSum(string(answer.Stdout))
	}
	if sum == "" {
		content, err := i.files.Download(ctx, p.file(name), i.client.Size)
		if err != nil && at(failure.Deploy, err).Kind == failure.ReportTooLarge {
			return i.vanished("the client in %s has grown since the upload", p.path)
		}
		if err != nil {
			return i.gone(ctx, p, name, at(failure.Deploy, err))
		}
		read := sha256.Sum256(content)
		sum = hex.EncodeToString(read[:])
	}
	if sum != i.client.SHA256 {
		return i.vanished("the client was changed after the upload to %s: its SHA-256 is %s", p.path, sum)
	}
	return nil
}

// hashCommand returns the command with which the platform prints a file's SHA-256.
func (i *installation) hashCommand(p place, name string) string {
	switch i.client.platform.OS {
	case "windows":
		return "certutil -hashfile " + p.command + `\` + name + " SHA256"
	case "darwin":
		return "shasum -a 256 " + remote.Quote(p.file(name))
	case "freebsd":
		return "sha256 -q " + remote.Quote(p.file(name))
	}
	return "sha256sum " + remote.Quote(p.file(name))
}

// findSum returns the first word of the output that looks like a SHA-256, in lower case, or nothing. The certutil of Windows
// 8 and earlier sets a blank after each of its bytes.
func findSum(printed string) string {
	for line := range strings.Lines(printed) {
		words := strings.Fields(line)
		for _, word := range append(words, strings.Join(words, "")) {
			word = strings.TrimPrefix(word, `\`) // GNU sha256sum, where it had to escape the file's name
			if sum, err := hex.DecodeString(word); err == nil && len(sum) == sha256.Size {
				return strings.ToLower(word)
			}
		}
	}
	return ""
}

// tidy removes what is of no use any more from the folder into which the client was just uploaded. What can't be removed
// stays. Ages are reckoned from the client's own time stamp: the host's clock may differ from ours.
func (i *installation) tidy(ctx context.Context, p place) {
	files, err := i.files.List(ctx, p.path)
	if err != nil {
		return
	}
	var now time.Time
	for _, f := range files {
		if f.Name() == i.name() {
			now = f.ModTime()
		}
	}
	removed := 0
	for _, f := range files {
		if !now.IsZero() && removed < mostRemoved && f.Name() != i.name() && useless(f, now) {
			_ = i.files.Remove(ctx, p.file(f.Name()))
			removed++
		}
	}
}

// useless tells whether a file is a leftover of ours. A name that would lead out of the folder is not.
func useless(f fs.FileInfo, now time.Time) bool {
	name := f.Name()
	if !f.Mode().IsRegular() || strings.ContainsAny(name, `/\`) {
		return false
	}
	age := now.Sub(f.ModTime())
	switch {
	case strings.HasPrefix(name, report.UploadPrefix), strings.HasPrefix(name, report.FilePrefix):
		return age > report.LeftoverAge
	case strings.HasPrefix(name, report.ClientPrefix):
		return age > oldVersion
	}
	return false
}
