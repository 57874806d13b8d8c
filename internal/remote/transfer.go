package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pkg/sftp"

	"muster/internal/failure"
)

var (
	errDiskFull = errors.New("no space is left on the host's disk")
	errQuota    = errors.New("the user's quota on the host is used up")
	errTooLarge = errors.New("the file is larger than allowed")
)

// Upload writes content, which must be exactly size bytes, to a new file. The file gets its mode while it is empty, and
// its length is verified at the end. If anything fails, the file is removed again, as far as the connection still lives;
// a file that existed before is never touched (fs.ErrExist). An error of content's Read is returned as the cause.
func (f *Files) Upload(ctx context.Context, name string, content io.Reader, size int64, mode fs.FileMode) error {
	allowed := maxAnswer + size/64 // an answer of 30 to 80 bytes for each 32 KiB
	return f.do(ctx, allowed, func() error {
		file, err := f.client.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err != nil {
			return f.failed("create", name, f.createError(name, err))
		}
		err = f.fill(file, content, size, mode)
		if err != nil {
			err = f.writeError(path.Dir(name), err)
			_ = file.Close()
			_ = f.client.Remove(name)
		}
		return f.failed("write", name, err)
	})
}

// fill gives a new file its mode and content, and closes it if all went well.
func (f *Files) fill(file *sftp.File, content io.Reader, size int64, mode fs.FileMode) error {
	if err := ignoreUnsupported(file.Chmod(mode.Perm())); err != nil {
		return err
	}
	// One byte more than promised would be written, so that a content that is too long is noticed.
	written, err := file.ReadFrom(io.LimitReader(content, size+1))
	if err != nil {
		return err
	}
	if written != size {
		return fmt.Errorf("the content has another length than the %d bytes announced: %w", size, io.ErrUnexpectedEOF)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("the host kept %d of %d bytes: %w", info.Size(), size, io.ErrShortWrite)
	}
	return file.Close()
}

// createError finds out why a file could not be created: OpenSSH has one code for everything (SSH_FX_FAILURE).
func (f *Files) createError(name string, err error) error {
	var status *sftp.StatusError
	if !errors.As(err, &status) || status.FxCode() != sftp.ErrSSHFxFailure {
		return err
	}
	if _, exists := f.client.Lstat(name); exists == nil {
		return fmt.Errorf("%w (%w)", fs.ErrExist, err)
	}
	return f.writeError(path.Dir(name), err)
}

// Status codes of later versions of SFTP (draft-ietf-secsh-filexfer-13, section 9.1), which some servers use in version 3 too.
const (
	statusNoSpace = 14 // SSH_FX_NO_SPACE_ON_FILESYSTEM
	statusQuota   = 15 // SSH_FX_QUOTA_EXCEEDED
)

// writeError finds out whether a disk is full or a quota used up, for which SFTP version 3 has no code. Some servers have
// one nevertheless, or say it in words; where they do not it asks how much room there is in the folder, if the host can
// tell (statvfs). OpenSSH's server has neither code nor words: there a quota is not found out so.
func (f *Files) writeError(folder string, err error) error {
	var status *sftp.StatusError
	if !errors.As(err, &status) {
		return err
	}
	reason := shortage(status.Error())
	switch status.Code {
	case statusNoSpace:
		reason = errDiskFull
	case statusQuota:
		reason = errQuota
	}
	switch {
	case reason != nil:
		return fmt.Errorf("%w (%w)", reason, err)
	case status.FxCode() != sftp.ErrSSHFxFailure:
		return err
	}
	if _, ok := f.client.HasExtension(statVFS); !ok {
		return err
	}
	room, failed := f.client.StatVFS(folder)
	if failed != nil {
		return err
	}
	const smallest = 64 << 10 // less than a write or two: what a full file system has left
	noBlocks := room.Frsize > 0 && room.Bavail < smallest/room.Frsize+1
	noNodes := room.Files > 0 && room.Favail == 0
	if noBlocks || noNodes {
		return fmt.Errorf("%w (%w)", errDiskFull, err)
	}
	return err
}

// Shortage reads from the words in which a system says that it can't write (strerror in English, and Windows's own) that a
// disk is full or a quota used up: a failure of the kind DiskFull or Quota. It is nil where they say neither.
func Shortage(words string) *failure.Error {
	switch reason := shortage(words); {
	case errors.Is(reason, errDiskFull):
		return failure.New("", failure.DiskFull, reason)
	case errors.Is(reason, errQuota):
		return failure.New("", failure.Quota, reason)
	}
	return nil
}

func shortage(words string) error {
	words = strings.ToLower(words)
	switch {
	case strings.Contains(words, "quota exceeded"), strings.Contains(words, "not enough quota"):
		return errQuota
	case strings.Contains(words, "no space left on device"), strings.Contains(words, "not enough space on the disk"):
		return errDiskFull
	}
	return nil
}

// Download reads a whole file of at most limit bytes. A larger one is failure.ReportTooLarge before a byte of it is
// read; so is one that grows meanwhile. One that shrinks meanwhile is io.ErrUnexpectedEOF.
func (f *Files) Download(ctx context.Context, name string, limit int64) ([]byte, error) {
	var content []byte
	// Each 32 KiB come in a packet of their own, with some bytes around them.
	err := f.do(ctx, maxAnswer+limit+limit/64, func() error {
		file, err := f.client.Open(name)
		if err != nil {
			return f.failed("open", name, err)
		}
		content, err = read(file, limit)
		if closing := file.Close(); err == nil {
			err = closing
		}
		return f.failed("read", name, err)
	})
	if err != nil {
		return nil, err
	}
	return content, nil
}

func read(file *sftp.File, limit int64) ([]byte, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Size() < 0 || info.Size() > limit:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errTooLarge, info.Size(), limit)
	}
	buffer := make([]byte, info.Size()+1)
	n, err := file.ReadAt(buffer, 0)
	switch {
	case err == nil:
		return nil, fmt.Errorf("%w: it grows while it is read", errTooLarge)
	case !errors.Is(err, io.EOF):
		return nil, err
	case int64(n) < info.Size():
		return nil, fmt.Errorf("it has %d of %d bytes: %w", n, info.Size(), io.ErrUnexpectedEOF)
	}
	return buffer[:n], nil
}
