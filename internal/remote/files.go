package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
)

const (
	// maxAnswer bounds the answers to a question that has a short one.
	maxAnswer = 1 << 20
	// maxListing bounds the answer to List: about 30,000 names.
	maxListing = 4 << 20
	// posixRename is OpenSSH's extension that renames over an existing file, as POSIX has it.
	posixRename = "posix-rename@openssh.com"
	// statVFS is OpenSSH's extension that tells how much room a file system has.
	statVFS = "statvfs@openssh.com"
)

var errTooLong = errors.New("the host's answer is longer than any right answer")

// Files is a connection's SFTP session. Its operations take turns. Paths are the host's, with slashes, relative to the
// user's home folder unless they begin with one; on Windows they look like /C:/Users/x. Names and figures that a host
// gives are its word.
//
// The failures of all operations are *failure.Error: PermissionDenied (also errors.Is fs.ErrPermission), DiskFull, Quota,
// FileFailed (errors.Is fs.ErrNotExist or fs.ErrExist where it is that), or whatever the connection ended of.
type Files struct {
	conn   *Conn
	client *sftp.Client
	pipe   *sftpPipe
	turn   chan struct{} // holds a token while no operation is under way
}

// Files returns the connection's SFTP session, and opens it the first time. A host without SFTP is failure.NoSFTP.
func (c *Conn) Files(ctx context.Context) (*Files, error) {
	defer c.begin(ctx)()
	var files *Files
	select {
	case files = <-c.sftp:
	case <-c.over:
		select {
		case files = <-c.sftp: // whoever uses or opens it is told why that is not possible
		default:
			return nil, c.explain(failure.Disconnected, errClosed)
		}
	}
	if files != nil {
		c.sftp <- files
		return files, nil
	}
	files, err := c.openFiles()
	c.sftp <- files
	if err != nil {
		return nil, err
	}
	return files, nil
}

func (c *Conn) openFiles() (*Files, error) {
	closed := make(chan struct{})
	channel, err := c.openSession(failure.NoSFTP, refuse, func() { close(closed) })
	if err != nil {
		return nil, err
	}
	accepted, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	if err != nil || !accepted {
		c.abandon(channel, closed)
		if err != nil {
			return nil, c.explain(failure.Disconnected, fmt.Errorf("open SFTP: %w", err))
		}
		return nil, c.explain(failure.NoSFTP, errors.New("the host has no SFTP subsystem"))
	}
	c.run(func() { _, _ = io.Copy(io.Discard, channel.Stderr()) })
	pipe := &sftpPipe{channel: channel}
	pipe.allow(maxAnswer)
	client, err := sftp.NewClientPipe(pipe, pipe, sftp.UseConcurrentWrites(true), sftp.UseFstat(true))
	if err != nil {
		c.abandon(channel, closed)
		return nil, c.explainFiles(pipe, err)
	}
	// The client's own goroutine ends with the channel.
	c.run(func() { _ = client.Wait() })
	files := &Files{conn: c, client: client, pipe: pipe, turn: make(chan struct{}, 1)}
	files.turn <- struct{}{}
	return files, nil
}

// abandon closes a session and waits, not for long, until the host has closed it, too: Dropbear takes the end of one for that
// of another that is opened meanwhile.
func (c *Conn) abandon(channel ssh.Channel, closed <-chan struct{}) {
	_ = channel.Close()
	patience := time.NewTimer(lingering)
	defer patience.Stop()
	select {
	case <-closed:
	case <-patience.C:
	}
}

// explainFiles says why no SFTP session came about. A session begins with the length of its first packet (section 3 of the
// draft), which is short: text in its place is a login script's, or the shell's.
func (c *Conn) explainFiles(pipe *sftpPipe, err error) *failure.Error {
	if !pipe.begun { // the host said what it had to say and closed the channel before we had sent anything
		_ = pipe.listen()
	}
	if pipe.isText() {
		said := fmt.Errorf("SFTP begins with %.80q, which is not SFTP", pipe.beginning)
		found := c.explain(failure.Noise, said)
		if found.Kind == failure.Noise {
			found.Advice = "let no login script of the user print anything, or set Subsystem sftp internal-sftp in the host's sshd_config"
		}
		return found
	}
	found := c.explain(failure.NoSFTP, fmt.Errorf("open SFTP: %w", err))
	if found.Kind == failure.NoSFTP {
		found.Advice = "check the SFTP subsystem in the host's sshd_config, and that the program it names is on the host"
	}
	return found
}

// refuse answers what a host asks on a channel on which it has nothing to ask.
func refuse(request *ssh.Request) {
	if request.WantReply {
		_ = request.Reply(false, nil)
	}
}

// do runs one operation. The host may answer it with at most allowed bytes.
func (f *Files) do(ctx context.Context, allowed int64, operation func() error) error {
	defer f.conn.begin(ctx)()
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
	case <-f.conn.over:
		return f.conn.explain(failure.Disconnected, errClosed)
	}
	f.pipe.allow(allowed)
	return operation()
}

// RealPath returns the absolute form of a path; that of "." is the folder in which a session begins, the user's home.
func (f *Files) RealPath(ctx context.Context, name string) (string, error) {
	var real string
	err := f.do(ctx, maxAnswer, func() (err error) {
		real, err = f.client.RealPath(name)
		return f.failed("resolve", name, err)
	})
	return real, err
}

// Stat describes a file or folder, following symbolic links.
func (f *Files) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	var info fs.FileInfo
	err := f.do(ctx, maxAnswer, func() (err error) {
		info, err = f.client.Stat(name)
		return f.failed("stat", name, err)
	})
	return info, err
}

// List describes what is in a folder, in no order and without following symbolic links. A listing of more than 4 MiB is
// an error, and the session is over.
func (f *Files) List(ctx context.Context, folder string) ([]fs.FileInfo, error) {
	var list []fs.FileInfo
	err := f.do(ctx, maxListing, func() (err error) {
		list, err = f.client.ReadDir(folder)
		return f.failed("list", folder, err)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Mkdir creates a folder with the mode 0700, and its parents likewise where they are missing. A folder that exists is
// left as it is.
func (f *Files) Mkdir(ctx context.Context, folder string) error {
	return f.do(ctx, maxAnswer, func() error { return f.mkdir(path.Clean(folder)) })
}

func (f *Files) mkdir(folder string) error {
	info, err := f.client.Stat(folder)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return f.failed("create the folder", folder, fmt.Errorf("it is a file: %w", fs.ErrExist))
	case !errors.Is(err, fs.ErrNotExist):
		return f.failed("create the folder", folder, err)
	}
	if parent := path.Dir(folder); parent != folder {
		if err := f.mkdir(parent); err != nil {
			return err
		}
	}
	if err := f.client.Mkdir(folder); err != nil {
		// Somebody else may have been faster.
		if info, again := f.client.Stat(folder); again == nil && info.IsDir() {
			return nil
		}
		return f.failed("create the folder", folder, f.writeError(path.Dir(folder), err))
	}
	return f.failed("set the mode of", folder, ignoreUnsupported(f.client.Chmod(folder, 0o700)))
}

const renameTo = "rename to " // the beginning of how Rename calls itself

// Rename gives a file another name. An existing file of that name is replaced, at once and in one piece, where the host
// has OpenSSH's posix-rename; elsewhere it is an error.
func (f *Files) Rename(ctx context.Context, from, to string) error {
	return f.do(ctx, maxAnswer, func() error {
		rename := f.client.Rename
		if _, ok := f.client.HasExtension(posixRename); ok {
			rename = f.client.PosixRename
		}
		return f.failed(renameTo+quote(to), from, rename(from, to))
	})
}

// Remove removes a file or an empty folder.
func (f *Files) Remove(ctx context.Context, name string) error {
	return f.do(ctx, maxAnswer, func() error { return f.failed("remove", name, f.client.Remove(name)) })
}

// failed is the failure of an operation on a path; nil if err is.
func (f *Files) failed(operation, name string, err error) error {
	if err == nil {
		f.conn.traceFile(operation, name, nil)
		return nil
	}
	var known *failure.Error
	if errors.As(err, &known) {
		return err
	}
	failed := f.explain(operation, name, err)
	f.conn.traceFile(operation, name, failed)
	return failed
}

func (f *Files) explain(operation, name string, err error) *failure.Error {
	kind := failure.FileFailed
	switch {
	case errors.Is(err, fs.ErrPermission):
		kind = failure.PermissionDenied
	case errors.Is(err, errDiskFull):
		kind = failure.DiskFull
	case errors.Is(err, errQuota):
		kind = failure.Quota
	case errors.Is(err, errTooLarge):
		kind = failure.ReportTooLarge
	case errors.Is(err, sftp.ErrSSHFxConnectionLost):
		kind = failure.Disconnected
	}
	if exceeded := f.pipe.exceeded(); exceeded != nil {
		kind, err = failure.FileFailed, exceeded
	}
	return f.conn.explain(kind, fmt.Errorf("%s %s: %w", operation, quote(name), err))
}

// quote makes a path printable and bounds it.
func quote(name string) string { return fmt.Sprintf("%.256q", name) }

// ignoreUnsupported forgives a host that has no modes.
func ignoreUnsupported(err error) error {
	if errors.Is(err, sftp.ErrSSHFxOpUnsupported) {
		return nil
	}
	return err
}

// sftpPipe is the channel under an SFTP session. It bounds what the host may send in answer to one operation: the
// library bounds packets, not how many there are.
type sftpPipe struct {
	channel ssh.Channel
	left    atomic.Int64

	// What the host said first, and what of it has not been handed on.
	begun     bool
	beginning []byte
	waiting   []byte
}

func (p *sftpPipe) allow(bytes int64) { p.left.Store(bytes) }

func (p *sftpPipe) exceeded() error {
	if p.left.Load() < 0 {
		return errTooLong
	}
	return nil
}

// isText tells whether the host began with a character in the place of a packet's length. It is for who opens the session.
func (p *sftpPipe) isText() bool {
	first, _ := utf8.DecodeRune(p.beginning)
	return first != 0 && first != utf8.RuneError
}

// listen reads what the host says first.
func (p *sftpPipe) listen() error {
	p.begun = true
	first := make([]byte, 80)
	n, err := p.read(first)
	p.beginning, p.waiting = first[:n], first[:n]
	return err
}

func (p *sftpPipe) Read(data []byte) (int, error) {
	if !p.begun {
		if err := p.listen(); err != nil {
			return 0, err
		}
	}
	if len(p.waiting) > 0 {
		n := copy(data, p.waiting)
		p.waiting = p.waiting[n:]
		return n, nil
	}
	return p.read(data)
}

func (p *sftpPipe) read(data []byte) (int, error) {
	n, err := p.channel.Read(data)
	if p.left.Add(-int64(n)) < 0 {
		_ = p.channel.Close()
		return 0, errTooLong
	}
	return n, err
}

func (p *sftpPipe) Write(data []byte) (int, error) { return p.channel.Write(data) }

func (p *sftpPipe) Close() error { return p.channel.Close() }
