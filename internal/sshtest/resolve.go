package sshtest

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Types of SFTP's packets (draft-ietf-secsh-filexfer-02, section 3).
const (
	packetRealPath = 16
	packetStat     = 17
)

// longestRealPath bounds a request that is read as a whole. A longer one passes as it came.
const longestRealPath = 64 << 10

// resolver stands before an SFTP server that leaves symbolic links in the paths that it makes canonical, and has it answer as
// OpenSSH's does: with the path that the links lead to. Of that the last part alone may be missing. All else that a client
// sends passes through it. On Windows paths are left as they are.
type resolver struct {
	io.ReadWriteCloser
	home  string
	ready []byte // to be read next
	left  int    // bytes of a packet that are to pass
}

func (r *resolver) Read(p []byte) (int, error) {
	if len(r.ready) == 0 && r.left == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	if len(r.ready) > 0 {
		n := copy(p, r.ready)
		r.ready = r.ready[n:]
		return n, nil
	}
	n, err := r.ReadWriteCloser.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// next reads the beginning of a packet, and all of it where it asks for a canonical path.
func (r *resolver) next() error {
	header := make([]byte, 5) // the length of what follows it, and the type that is the first of that
	if _, err := io.ReadFull(r.ReadWriteCloser, header[:4]); err != nil {
		return err
	}
	length := int(binary.BigEndian.Uint32(header))
	if length == 0 {
		r.ready = header[:4]
		return nil
	}
	if _, err := io.ReadFull(r.ReadWriteCloser, header[4:]); err != nil {
		return err
	}
	r.ready, r.left = header, length-1
	if header[4] != packetRealPath || length > longestRealPath || runtime.GOOS == "windows" {
		return nil
	}
	body := make([]byte, r.left)
	if _, err := io.ReadFull(r.ReadWriteCloser, body); err != nil {
		return err
	}
	r.ready, r.left = r.rewrite(header, body), 0
	return nil
}

// rewrite returns a request for the canonical form of what the requested path leads to. Where it leads nowhere the request
// becomes one for the attributes of the path: that has the same form, and the answer to it is the error.
func (r *resolver) rewrite(header, body []byte) []byte {
	const fixed = 8 // the request's number, and the length of the path
	if len(body) < fixed || int(binary.BigEndian.Uint32(body[4:])) != len(body)-fixed {
		return append(header, body...)
	}
	name := string(body[fixed:])
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.home, name)
	}
	kind := byte(packetRealPath)
	resolved, err := resolve(name)
	if err != nil {
		kind, resolved = packetStat, name
	}
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+fixed+len(resolved)))
	packet = append(packet, kind)
	packet = append(packet, body[:4]...)
	packet = binary.BigEndian.AppendUint32(packet, uint32(len(resolved)))
	return append(packet, resolved...)
}

// resolve follows all symbolic links of a path.
func resolve(name string) (string, error) {
	resolved, err := filepath.EvalSymlinks(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return resolved, err
	}
	if _, err := os.Lstat(name); err == nil {
		return "", fs.ErrNotExist // a link to nothing
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(name))
	return filepath.Join(folder, filepath.Base(name)), err
}
