package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
)

// shellFiles gets at a host's files with the commands of POSIX, run by sh whatever the login shell is. Hosts without SFTP are
// small ones, as with Dropbear, and hardened ones.
//
// What sh is to do stands in a script without line ends, which csh would not pass on; names are its arguments. What a login
// script prints is told from the answer by a mark.
type shellFiles struct{ conn *remote.Conn }

const (
	// answerMark begins the line of an answer.
	answerMark = "muster-answer "
	// inEnglish comes before every script: what a command says when it fails is to be understood, and new files are nobody else's.
	inEnglish = "LC_ALL=C; export LC_ALL; umask 077; "
	// answering is the end of a script: it answers with the variable a. The empty line ends one that was left open. Some
	// shells' echo would read a backslash.
	answering = `printf "\n%s\n" "` + answerMark + `$a"`
)

// Scripts. $1 is the path that an operation is about.
const (
	scriptRealPath = `cd "$1" && a=$(pwd -P) && { ` + answering + `; }`
	scriptStat     = `if [ -e "$1" ]; then a=$(ls -ldnL "$1"); else a=missing; fi && { ` + answering + `; }`
	// Times are seconds since 1970; stat's options are those of Linux, then those of the BSDs.
	scriptList = `cd "$1" || exit 1; for f in * .[a-z]*; do if [ -f "./$f" ]; then [ -h "./$f" ] || { ` +
		`a="$(stat -c %Y "./$f" 2>/dev/null || stat -f %m "./$f") $f"; ` + answering + `; }; fi; done`
	scriptMkdir = `if [ -d "$1" ]; then exit 0; fi; mkdir -p "$1"`
	// With -C a file that exists is not opened; what cat writes is the file that was opened, whatever has the name by then.
	// A connection that breaks ends the input early, and what is there of the file is removed by the host itself, before it
	// says anything: nobody listens, which would end the shell.
	scriptUpload = `set -C; exec 3>"$1" || exit 1; chmod "$3" "$1" && cat >&3 && exec 3>&- && a=$(($(wc -c <"$1"))) && ` +
		`if [ "$a" -eq "$2" ]; then ` + answering + `; exit 0; fi; rm -f "$1"; echo "$a of $2 bytes arrived" >&2; exit 1`
	scriptRename = `if [ -d "$2" ]; then echo "it is a folder" >&2; exit 1; fi; mv -f "$1" "$2"`
	scriptRemove = `if [ -h "$1" ]; then rm -f "$1"; elif [ -d "$1" ]; then rmdir "$1"; else ls -d "$1" >/dev/null && rm -f "$1"; fi`
	scriptSize   = `if [ -f "$1" ]; then a=$(($(wc -c <"$1"))) && { ` + answering + `; }; else echo "it is not a file" >&2; exit 1; fi`
)

// run runs a script and returns the answers that it gave.
func (s *shellFiles) run(ctx context.Context, operation, script string, stdin io.Reader, arguments ...string) ([]string, error) {
	command := "sh -c " + remote.Quote(inEnglish+script) + " sh"
	for _, argument := range arguments {
		command += " " + remote.Quote(argument)
	}
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	result, err := s.conn.Feed(ctx, command, stdin)
	if err != nil {
		return nil, err
	}
	if result.Status != 0 {
		return nil, s.failed(operation, arguments[0], result)
	}
	var answers []string
	for line := range strings.SplitSeq(string(result.Stdout), "\n") {
		if answer, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), answerMark); ok {
			answers = append(answers, answer)
		}
	}
	return answers, nil
}

// one runs a script that gives one answer.
func (s *shellFiles) one(ctx context.Context, operation, script string, stdin io.Reader, arguments ...string) (string, error) {
	answers, err := s.run(ctx, operation, script, stdin, arguments...)
	if err == nil && len(answers) != 1 {
		err = unclear(operation, arguments[0])
	}
	if err != nil {
		return "", err
	}
	return answers[0], nil
}

func unclear(operation, name string) error {
	return failure.New("", failure.FileFailed, fmt.Errorf("%s %.256q: the host's shell gives no clear answer", operation, name))
}

// failed is the failure of a script, of which the words are all that tells the reason.
func (s *shellFiles) failed(operation, name string, result remote.Result) error {
	words := strings.ToLower(string(result.Stderr))
	has := func(sign string) bool { return strings.Contains(words, sign) }
	kind, cause := failure.FileFailed, error(nil)
	switch {
	case has("no space left"), has("quota exceeded"):
		kind = failure.DiskFull
	case has("permission denied"), has("operation not permitted"), has("read-only file system"):
		kind, cause = failure.PermissionDenied, fs.ErrPermission
	case has("file exists"), has("cannot overwrite existing file"):
		cause = fs.ErrExist
	case has("no such file"), has("nonexistent"), has("can't cd to"):
		cause = fs.ErrNotExist
	}
	err := fmt.Errorf("%s %.256q: %s", operation, name, said(remote.Result{Stdout: result.Stderr, Status: result.Status}))
	if cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return failure.New("", kind, err)
}

// RealPath follows the symbolic links of a folder's path, all of which must be there.
func (s *shellFiles) RealPath(ctx context.Context, name string) (string, error) {
	return s.one(ctx, "resolve", scriptRealPath, nil, name)
}

// Stat describes a file or folder, following symbolic links. There is no time in it.
func (s *shellFiles) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	answer, err := s.one(ctx, "stat", scriptStat, nil, name)
	if err != nil {
		return nil, err
	}
	if answer == "missing" {
		return nil, failure.New("", failure.FileFailed, fmt.Errorf("stat %.256q: %w", name, fs.ErrNotExist))
	}
	fields := strings.Fields(answer)
	if len(fields) < 5 || len(fields[0]) < 10 {
		return nil, unclear("stat", name)
	}
	mode, known := modeOf(fields[0])
	size, err := strconv.ParseInt(fields[4], 10, 64)
	if !known || err != nil && mode.IsRegular() {
		return nil, unclear("stat", name)
	}
	return fileInfo{name: path.Base(name), size: size, mode: mode}, nil
}

// modeOf reads a mode as ls -l prints it (POSIX.1-2017, ls, STDOUT), without the bits of setuid, setgid and sticky.
func modeOf(word string) (fs.FileMode, bool) {
	var mode fs.FileMode
	switch word[0] {
	case '-':
	case 'd':
		mode = fs.ModeDir
	default:
		mode = fs.ModeIrregular
	}
	for n, letter := range []byte(word[1:10]) {
		switch letter {
		case "rwxrwxrwx"[n], 's', 't':
			mode |= 1 << (8 - n)
		case '-', 'S', 'T':
		default:
			return 0, false
		}
	}
	return mode, true
}

// List describes the files in a folder by name and time, and leaves out what is none.
func (s *shellFiles) List(ctx context.Context, folder string) ([]fs.FileInfo, error) {
	answers, err := s.run(ctx, "list", scriptList, nil, folder)
	if err != nil {
		return nil, err
	}
	var list []fs.FileInfo
	for _, answer := range answers {
		seconds, name, _ := strings.Cut(answer, " ")
		at, err := strconv.ParseInt(seconds, 10, 64)
		if err == nil && name != "" {
			list = append(list, fileInfo{name: name, modified: time.Unix(at, 0)})
		}
	}
	return list, nil
}

// Mkdir creates a folder that nobody else can enter, and its parents likewise.
func (s *shellFiles) Mkdir(ctx context.Context, folder string) error {
	_, err := s.run(ctx, "create the folder", scriptMkdir, nil, folder)
	return err
}

// Upload writes a new file, which has its mode while it is empty, and whose length is verified at the end.
func (s *shellFiles) Upload(ctx context.Context, name string, content io.Reader, size int64, mode fs.FileMode) error {
	// One byte more than promised would be sent, so that a content that is too long is noticed.
	sent := &noted{Reader: io.LimitReader(content, size+1)}
	digits := strconv.FormatInt(size, 10)
	_, err := s.one(ctx, "write", scriptUpload, sent, name, digits, strconv.FormatUint(uint64(mode.Perm()), 8))
	if err != nil && sent.failed != nil {
		return fmt.Errorf("write %.256q: %w", name, sent.failed)
	}
	return err
}

// noted keeps why a content could not be read.
type noted struct {
	io.Reader
	failed error
}

func (c *noted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed = err
	}
	return n, err
}

// Download reads a whole file of at most limit bytes.
func (s *shellFiles) Download(ctx context.Context, name string, limit int64) ([]byte, error) {
	answer, err := s.one(ctx, "read", scriptSize, nil, name)
	if err != nil {
		return nil, err
	}
	size, err := strconv.ParseInt(answer, 10, 64)
	if err != nil || size < 0 {
		return nil, unclear("read", name)
	}
	if size > limit {
		return nil, failure.New("", failure.ReportTooLarge, fmt.Errorf("read %.256q: it has %d bytes, at most %d", name, size, limit))
	}
	return s.read(ctx, name, size)
}

// read reads a file of the given size. What a login script prints comes before a line with the mark.
func (s *shellFiles) read(ctx context.Context, name string, size int64) ([]byte, error) {
	const script = inEnglish + `a=; ` + answering + `; exec cat "$1"`
	process, err := s.conn.Start(ctx, "sh -c "+remote.Quote(script)+" sh "+remote.Quote(name))
	if err != nil {
		return nil, err
	}
	_ = process.Stdin.Close()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, _ = io.Copy(io.Discard, process.Stderr)
	}()
	const noise = 64 << 10
	all, failed := io.ReadAll(io.LimitReader(process.Stdout, noise+size+1))
	_, _ = io.Copy(io.Discard, process.Stdout)
	status, err := process.Wait()
	<-heard
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	_, content, found := bytes.Cut(all, []byte("\n"+answerMark+"\n"))
	if status != 0 || !found || int64(len(content)) != size {
		return nil, unclear("read", name)
	}
	return content, nil
}

// Rename gives a file another name, and replaces an existing file of that name in one piece.
func (s *shellFiles) Rename(ctx context.Context, from, to string) error {
	_, err := s.run(ctx, "rename", scriptRename, nil, from, to)
	return err
}

// Remove removes a file or an empty folder.
func (s *shellFiles) Remove(ctx context.Context, name string) error {
	_, err := s.run(ctx, "remove", scriptRemove, nil, name)
	return err
}

// fileInfo is what a shell says of a file.
type fileInfo struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func (f fileInfo) Name() string       { return f.name }
func (f fileInfo) Size() int64        { return f.size }
func (f fileInfo) Mode() fs.FileMode  { return f.mode }
func (f fileInfo) ModTime() time.Time { return f.modified }
func (f fileInfo) IsDir() bool        { return f.mode.IsDir() }
func (f fileInfo) Sys() any           { return nil }
