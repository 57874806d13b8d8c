package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"muster/internal/report"
)

// Fence is the folders in which files must be that are read, wherever links lead; nil: they may be anywhere. It is for a
// client that may read more than those who write the logs: where such a folder is theirs, they could put a link there to
// what is none of their business, and have it read.
type Fence []string

// errFenced is in the chain of what is refused. It wraps fs.ErrPermission: the file may not be read.
var errFenced = fmt.Errorf("it is a link out of the folders whose logs the client may read on this host: %w", fs.ErrPermission)

// open opens a file of the log, if it is within the fence.
func (r *reading) open(e entry) (*opened, error) {
	o, err := e.open()
	if err == nil && !r.fence.holds(e.path, o.info) {
		o.close()
		return nil, fmt.Errorf("%s: %w", report.Visible(e.path, report.MaxChannel), errFenced)
	}
	return o, err
}

// holds reports whether the file that was opened at a path is within the fence, whoever changes links meanwhile.
func (f Fence) holds(path string, opened os.FileInfo) bool {
	if f == nil {
		return true
	}
	path, err := filepath.EvalSymlinks(path)
	for _, folder := range f {
		if err == nil && inside(folder, path, opened) {
			return true
		}
	}
	return false
}

func inside(folder, path string, opened os.FileInfo) bool {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	rest, err := filepath.Rel(folder, path)
	if err != nil || !filepath.IsLocal(rest) {
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
