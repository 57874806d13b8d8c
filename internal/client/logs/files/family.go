package files

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"muster/internal/client/logs/syslog"
)

// entry is a file of the log: the live one or a rotated one.
type entry struct {
	path    string
	id      string // see identify; with packed behind it, since one that was plain is never the same as one that is not
	written time.Time
	packed  string // the ending of a compressed file's name, such as ".gz"; empty: it is plain
	live    bool

	digits []string // of a rotated file's name, as far as they tell its age
}

// family returns the files of the log at a path, the oldest first, the live one last if it is there. It returns errMoved
// where they are being renamed. A path behind which something else than a file is is an error. Where the folder can't be
// listed the live file is all there is.
func family(path string) ([]entry, error) {
	before, err := listing(path)
	if err != nil {
		return nil, err
	}
	// A rotation renames all files, one after the other. Two listings that are the same were not made during one.
	after, err := listing(path)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(before, after, func(a, b entry) bool { return a.path == b.path && a.id == b.id }) {
		return nil, errMoved
	}
	return after, nil
}

func listing(path string) ([]entry, error) {
	live, there, err := liveFile(path)
	if err != nil {
		return nil, err
	}
	var rotated []entry
	seen := map[string]bool{live.id: true}
	for _, name := range names(path) {
		found, err := rotatedFiles(name)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if strings.HasPrefix(e.id, unknownFile) || !seen[e.id] { // the same file may have two names
				seen[e.id] = true
				rotated = append(rotated, e)
			}
		}
	}
	paths := make(map[string]bool, len(rotated))
	for i := range rotated {
		paths[rotated[i].path] = true
	}
	rotated = slices.DeleteFunc(rotated, func(e entry) bool {
		plain := strings.TrimSuffix(e.path, e.packed) // it is being compressed, and whole as long as it is there
		return e.packed != "" && paths[plain]
	})
	byAge(rotated)
	if there {
		rotated = append(rotated, live)
	}
	return rotated, nil
}

// liveFile returns the file at the path, behind links.
func liveFile(path string) (e entry, there bool, err error) {
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return entry{id: unknownFile}, false, nil
	}
	if err != nil {
		return entry{}, false, err
	}
	if !info.Mode().IsRegular() {
		return entry{}, false, irregular(path, info.Mode())
	}
	id, err := identify(path, info)
	if os.IsNotExist(err) {
		return entry{}, false, errMoved
	}
	if err != nil {
		return entry{}, false, err
	}
	return entry{path: path, id: id, written: info.ModTime(), live: true}, true, nil
}

// pattern is a name beside which rotated files are looked for. Where it is alike, files whose names differ from it in
// digits alone are, too: the name is a link's target, which is another file each day.
type pattern struct {
	path  string
	alike bool
}

func names(path string) []pattern {
	all := []pattern{{path: path}}
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
		all = append(all, pattern{path: target, alike: filepath.Base(target) != filepath.Base(path)})
	}
	return all
}

// mostRotated bounds how many rotated files there may be: what is known of each is held in memory.
const mostRotated = 100_000

// rotatedFiles returns the rotated files of a name, by their names. Of a folder's other files, of which there may be
// millions, it keeps nothing.
func rotatedFiles(name pattern) ([]entry, error) {
	folder, base := filepath.Split(name.path)
	f, err := os.Open(folder)
	if err != nil {
		return nil, nil // the live file can be read all the same
	}
	defer f.Close()
	var found []entry
	for {
		list, err := f.ReadDir(1000)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil // likewise
		}
		for _, item := range list {
			digits, packed, ok := rotatedName(base, item.Name(), name.alike)
			if !ok || !item.Type().IsRegular() { // a link would be a second name of the file behind it
				continue
			}
			if len(found) == mostRotated {
				return nil, fmt.Errorf("%s has more than %d files beside it that look as if they were rotated from it", name.path, mostRotated)
			}
			e, err := rotatedFile(filepath.Join(folder, item.Name()), item)
			if err != nil {
				return nil, err
			}
			e.id, e.packed, e.digits = e.id+packed, packed, digits
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return found, nil
}

func rotatedFile(path string, item os.DirEntry) (entry, error) {
	info, err := item.Info()
	if os.IsNotExist(err) {
		return entry{}, errMoved
	}
	if err != nil {
		return entry{}, err
	}
	id, err := identify(path, info)
	if os.IsNotExist(err) {
		return entry{}, errMoved
	}
	if err != nil {
		id = unknownFile
	}
	return entry{path: path, id: id, written: info.ModTime()}, nil
}

// rotatedName reports whether a file of that name is a rotated one of base, and returns the numbers in its name.
//
//	auth.log.1  auth.log.2.gz  auth.log-20261123  auth.log-20261123.gz  auth.log.2026-11-23  auth.log.old
//	auth.1.log  auth-20261123.log  auth-2026-11-23T10.log.gz
func rotatedName(base, name string, alike bool) (digits []string, packed string, ok bool) {
	if runtime.GOOS == "windows" {
		base, name = strings.ToLower(base), strings.ToLower(name)
	}
	switch extension := filepath.Ext(name); extension {
	case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z", ".z", ".zip":
		if extension != filepath.Ext(base) {
			packed, name = extension, strings.TrimSuffix(name, extension)
		}
	}
	if name == base {
		return nil, packed, packed != ""
	}
	if middle, found := strings.CutPrefix(name, base); found && isMiddle(middle) {
		return numbers(middle), packed, true
	}
	extension := filepath.Ext(base)
	if stem := strings.TrimSuffix(base, extension); stem != "" && extension != "" {
		middle, found := strings.CutPrefix(name, stem)
		middle, ended := strings.CutSuffix(middle, extension)
		if found && ended && isMiddle(middle) {
			return numbers(middle), packed, true
		}
	}
	if alike && shape(name) == shape(base) && strings.ContainsAny(name, "0123456789") {
		return numbers(name), packed, true
	}
	return nil, "", false
}

// isMiddle reports whether it is what rotation adds to a name: a number, a date, "old".
func isMiddle(text string) bool {
	if len(text) < 2 || strings.IndexByte(".-_", text[0]) < 0 {
		return false
	}
	switch text[1:] {
	case "old", "prev", "last":
		return true
	}
	return strings.Trim(text, "0123456789.-_:TZ+") == "" && strings.ContainsAny(text, "0123456789")
}

// shape returns a name with "0" for each run of digits.
func shape(name string) string {
	var b strings.Builder
	inside := false
	for i := range len(name) {
		digit := name[i] >= '0' && name[i] <= '9'
		switch {
		case !digit:
			b.WriteByte(name[i])
		case !inside:
			b.WriteByte('0')
		}
		inside = digit
	}
	return b.String()
}

// numbers returns the runs of digits in a name, without zeros before them.
func numbers(text string) []string {
	runs := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	for i, run := range runs {
		runs[i] = strings.TrimLeft(run, "0")
	}
	return runs
}

// isCount reports whether the name tells how many rotations ago the file was live, and not when.
func (e *entry) isCount() bool { return len(e.digits) == 1 && len(e.digits[0]) <= 3 }

// byAge sorts rotated files, the oldest first: by their names, and where these are of several kinds, or contradict when the
// files were last written to, by the times that the files begin with. A rotated file may still be written to, so when it was
// written to last is asked only where they say none.
func byAge(files []entry) {
	counts := 0
	for i := range files {
		if files[i].isCount() {
			counts++
		}
	}
	byName := func(a, b entry) int {
		c := slices.CompareFunc(a.digits, b.digits, func(x, y string) int {
			return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
		})
		if a.isCount() && b.isCount() {
			c = -c
		}
		return cmp.Or(c, strings.Compare(a.path, b.path))
	}
	slices.SortFunc(files, byName)
	mixed := counts != 0 && counts != len(files)
	if last := len(files) - 1; mixed || last > 0 && files[0].written.After(files[last].written) {
		times := make(map[string]time.Time, len(files))
		said := true
		for i := range files {
			at := files[i].begins()
			times[files[i].path] = at
			said = said && !at.IsZero()
		}
		slices.SortStableFunc(files, func(a, b entry) int {
			if c := times[a.path].Compare(times[b.path]); said && c != 0 {
				return c
			}
			return a.written.Compare(b.written)
		})
	}
}

// begins returns the time that the first of a file's lines says that says any; zero: none of the first few does.
func (e entry) begins() time.Time {
	o, err := e.open()
	if err != nil {
		return time.Time{}
	}
	defer o.close()
	for line := range bytes.Lines(o.head) {
		if at := syslog.Parse(string(line), e.written, time.Local).Time; !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}
