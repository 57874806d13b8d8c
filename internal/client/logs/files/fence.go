package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"muster/internal/report"
)

// Fence is which files a client may read, whoever asks. The zero value: any.
//
// A client that an administrator installed may run as root for a key that is good for nothing else: what that key may learn
// is then for the host to say, and not for the server that has it.
type Fence struct {
	Closed bool
	Open   []string // absolute paths: folders, with all that is below them, and files, with those that are rotated from them
	Advice string   // in the error of what is refused: how to have it permitted
}

// errFenced is in the chain of what is refused. It wraps fs.ErrPermission: the file may not be read.
var errFenced = fmt.Errorf("the client that is installed on the host may not read it: %w", fs.ErrPermission)

func (f *Fence) refuse(path string) error {
	return fmt.Errorf("%s: %w; %s", report.Visible(path, report.MaxChannel), errFenced, f.Advice)
}

// open opens a file of the log, if it is within the fence.
func (r *reading) open(e entry) (*opened, error) {
	o, err := e.open()
	if err == nil && !r.fence.holds(e.path, o.info) {
		o.close()
		return nil, r.fence.refuse(e.path)
	}
	return o, err
}

// names reports whether a path is within the fence by its name.
func (f *Fence) names(path string) bool {
	for _, open := range f.Open {
		if _, _, ok := below(open, path); ok {
			return true
		}
	}
	return !f.Closed
}

// holds reports whether the file that was opened at a path is within the fence, wherever links lead, and whoever changes
// them meanwhile.
func (f *Fence) holds(path string, opened os.FileInfo) bool {
	if !f.Closed {
		return true
	}
	path, err := filepath.EvalSymlinks(path)
	for _, open := range f.Open {
		if err == nil && inside(open, path, opened) {
			return true
		}
	}
	return false
}

func inside(open, path string, opened os.FileInfo) bool {
	open, err := filepath.EvalSymlinks(open)
	if err != nil {
		return false
	}
	folder, rest, ok := below(open, path)
	if !ok {
		return false
	}
	root, err := os.OpenRoot(folder) // no link leads out of a root, not even one that was put there since
	if err != nil {
		return false
	}
	defer root.Close() //nolint:errcheck // it was only looked at
	info, err := root.Stat(rest)
	return err == nil && os.SameFile(info, opened)
}

// below returns the folder that a path is in, and its name from there, if it is what is open, below it, or rotated from it.
func below(open, path string) (folder, rest string, ok bool) {
	rest, err := filepath.Rel(open, path)
	if err == nil && rest != "." && filepath.IsLocal(rest) {
		return open, rest, true
	}
	folder, name := filepath.Split(path)
	of, base := filepath.Split(open)
	if folder != of {
		return "", "", false
	}
	_, _, rotated := rotatedName(base, name, false)
	return folder, name, rotated || name == base
}
