package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// appendText appends whole lines to a file, after the last one even if that has no end, and syncs it. It returns the
// state of the file if it is still the one at the path, and nil if another took its place. What was written in part is
// taken back.
func appendText(path string, text []byte) (fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return nil, err
	}
	gap, err := endLine(path, file, before.Size())
	if err != nil {
		return nil, err
	}
	n, err := file.Write(append(gap, text...))
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		if after, failed := file.Stat(); failed == nil && after.Size() == before.Size()+int64(n) {
			_ = file.Truncate(before.Size())
		}
		return nil, err
	}
	if before.Size() == 0 {
		if err := syncFolder(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	// Others may have appended too, just before or after.
	after, err := file.Stat()
	if err != nil {
		return nil, err
	}
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, after) {
		return nil, nil
	}
	if err == nil && after.Size() != before.Size()+int64(n) {
		after = before // has not the state that the caller knows: to be read again
	}
	return after, err
}

// endLine returns what has to come before a new line: a line feed if the last line of a file has none. What a writer left
// behind that was killed in the middle of a line is made a comment: it is no line, and would be a mistake.
func endLine(path string, file *os.File, size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	tail := make([]byte, min(size, 16<<10))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	last := tail[bytes.LastIndexByte(tail, '\n')+1:]
	if len(last) == 0 {
		return nil, nil
	}
	if isTorn(last) {
		if err := comment(path, size-int64(len(last))); err != nil {
			return nil, err
		}
	}
	return []byte("\n"), nil
}

// isTorn tells whether text without a line's end is the beginning of a line only.
func isTorn(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] == '#' || text[0] == '@' {
		return false
	}
	_, _, _, _, _, err := ssh.ParseKnownHosts(text)
	return err != nil && !isForeign(text)
}

// comment makes a comment of what begins at a place in a file. It takes a descriptor of its own: one that appends does
// nothing else.
func comment(path string, at int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte("#"), at)
	return errors.Join(err, file.Close())
}

// Replace records a host's key in place of others that the file has for its name, and returns when that is on disk. Lines
// of patterns, of authorities and of revoked keys stay. The error is a *failure.Error of the kind failure.Configuration.
func (r *Recorder) Replace(ctx context.Context, address string, key ssh.PublicKey) error {
	return r.rewrite(ctx, xknownhosts.Normalize(address), key, true)
}

// Forget removes the keys, other than the given one, that the file has for a name. A file that does not exist is left so,
// and one that has no such keys need not be writable: the machine's own is not, for most people. The error is that of Replace.
func (r *Recorder) Forget(ctx context.Context, address string, but ssh.PublicKey) error {
	name := xknownhosts.Normalize(address)
	if r.hasOnly(name, but) {
		return nil
	}
	return r.rewrite(ctx, name, but, false)
}

// hasOnly tells whether the file has no other key for a name than the given one. Of a file that can't be told of, it is
// false: with the lock, nobody is in the middle of a line.
func (r *Recorder) hasOnly(name string, key ssh.PublicKey) bool {
	file, err := os.Open(r.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	content, err := readAll(file)
	if err != nil {
		return false
	}
	fresh, _, err := without(content, name, key)
	return err == nil && bytes.Equal(fresh, content)
}

func (r *Recorder) rewrite(ctx context.Context, name string, key ssh.PublicKey, add bool) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return because(newContextEnd(ctx))
	}
	r.read = nil
	err := r.locked(ctx, func(path string) error {
		for range maxRewrites {
			done, err := r.rewriteOnce(path, name, key, add)
			if done || err != nil {
				return err
			}
		}
		return errMovedOn
	})
	if err != nil {
		return configuration(fmt.Errorf("replace a host's key in %s: %w", r.path, err),
			"see that the file and its folder can be written, or change the line yourself")
	}
	return nil
}

// rewriteOnce writes the file anew; false if somebody else changed it meanwhile.
func (r *Recorder) rewriteOnce(path, name string, key ssh.PublicKey, add bool) (done bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return false, err
	}
	content, err := readAll(file)
	if err != nil {
		return false, err
	}
	fresh, has, err := without(content, name, key)
	if err != nil {
		return false, err
	}
	if add && !has {
		lines := newKnownHosts()
		if err := lines.add(path, content); err != nil {
			return false, err
		}
		if len(fresh) > 0 && fresh[len(fresh)-1] != '\n' {
			fresh = append(fresh, '\n')
		}
		fresh = append(fresh, r.line(lines, name, key)...)
	}
	if bytes.Equal(fresh, content) {
		return true, nil
	}
	return replaceFile(path, file, before, fresh)
}

// readAll reads a known_hosts file.
func readAll(file *os.File) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(file, maxKnownHosts+1))
	if err == nil && len(content) > maxKnownHosts {
		err = fmt.Errorf("it is larger than %d kB", maxKnownHosts>>10)
	}
	return content, err
}

// without returns the content without the keys of a name other than the given one, and whether that is there. A line that
// holds for others too stays, for them.
func without(content []byte, name string, key ssh.PublicKey) (fresh []byte, has bool, err error) {
	number := 0
	for raw := range bytes.Lines(content) {
		number++
		lines := newKnownHosts()
		text := bytes.TrimSpace(raw)
		if len(text) > 0 && text[0] != '#' {
			if err := lines.addLine(&knownLine{line: number}, text); err != nil {
				return nil, false, fmt.Errorf("line %d: %w", number, err)
			}
		}
		found := lines.find(name)
		switch {
		case len(found) == 0 || found[0].authority:
			fresh = append(fresh, raw...)
		case sameKey(found[0].key, key):
			has = true
			fresh = append(fresh, raw...)
		case found[0].salt == nil:
			rest, err := withoutName(string(raw), name, number)
			if err != nil {
				return nil, false, err
			}
			fresh = append(fresh, rest...)
		}
	}
	return fresh, has, nil
}

// withoutName returns a line without one of its names; empty if it has no other.
func withoutName(line, name string, number int) (string, error) {
	trimmed := strings.TrimLeft(line, " \t")
	end := strings.IndexAny(trimmed, " \t")
	var others []string
	for _, pattern := range strings.Split(trimmed[:end], ",") {
		if normalize(pattern) != name {
			others = append(others, pattern)
		}
	}
	if len(others) == 0 {
		return "", nil
	}
	rest := newKnownHosts()
	left := strings.Join(others, ",") + trimmed[end:]
	if err := rest.addLine(&knownLine{}, []byte(strings.TrimSpace(left))); err != nil {
		return "", fmt.Errorf("line %d: %w", number, err)
	}
	if len(rest.find(name)) > 0 {
		return "", fmt.Errorf("line %d has the old key for a pattern that %s matches: change it yourself", number, name)
	}
	return left, nil
}

// replaceFile moves a new file into the place of another, unless that has changed since before; then it returns false. It
// takes along what others append to the old one in the moment of the move.
func replaceFile(path string, old *os.File, before fs.FileInfo, content []byte) (done bool, err error) {
	name := temporary(path)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return false, err
	}
	defer func() {
		_ = file.Close()
		if !done {
			_ = os.Remove(name)
		}
	}()
	if _, err := file.Write(content); err != nil {
		return false, err
	}
	if err := errors.Join(keepOwner(name, before), file.Chmod(before.Mode().Perm())); err != nil {
		return false, err
	}
	if err := file.Sync(); err != nil {
		return false, err
	}
	now, err := os.Stat(path)
	if err != nil || !sameState(before, now) {
		return false, err
	}
	if err := os.Rename(name, path); err != nil {
		return false, err
	}
	done = true
	late, err := io.ReadAll(io.NewSectionReader(old, before.Size(), maxKnownHosts))
	if err == nil && len(late) > 0 {
		_, err = file.Write(late)
		err = errors.Join(err, file.Sync())
	}
	return done, errors.Join(err, syncFolder(filepath.Dir(path)))
}
