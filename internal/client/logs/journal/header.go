package journal

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is a journal file, by its name and its header.
type file struct {
	path     string
	lineage  string // "system", "user-1000": files of one lineage follow each other
	archived bool   // by its name: it is not written to any more
	id       string // of the file: 16 bytes
	stream   string // what journald calls the id of the sequence numbers, in hexadecimal
	head     uint64 // sequence number of its first entry; 0: it has none
	tail     uint64 // and of its last
	tailTime int64  // when journald got that, in µs since 1970
}

// headerSize is the part of a header that all versions have.
const headerSize = 208

// parseHeader reads the header of a journal file: https://systemd.io/JOURNAL_FILE_FORMAT. All versions of systemd have these
// fields at these places; numbers are little-endian.
func parseHeader(b []byte) (file, error) {
	if len(b) < headerSize || string(b[:8]) != "LPKSHHRH" {
		return file{}, errors.New("it does not begin as journal files do")
	}
	number := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	f := file{
		id:       string(b[24:40]),
		stream:   hex.EncodeToString(b[72:88]),
		tail:     number(160),
		head:     number(168),
		tailTime: int64(number(192)),
	}
	if f.head > f.tail || f.tail > math.MaxInt64 || f.tailTime < 0 {
		return file{}, errors.New("its header says what can't be")
	}
	return f, nil
}

// survey is what there is of the journal.
type survey struct {
	streams []*stream
	found   bool     // there is a folder of the journal
	denied  []string // what may not be read
	damaged []string // what is no journal file, and why
}

// stream is the journal files whose entries are numbered in one sequence. Without journald being told otherwise, and until
// version 254, the journals of the system and of each user are streams of their own.
type stream struct {
	id       string // journald's, in hexadecimal
	files    []file
	tail     uint64 // sequence number of the last entry
	tailTime int64  // and when journald got it
}

// look lists the journal files in folders, and reads their headers.
func look(folders []string) survey {
	var s survey
	for _, folder := range folders {
		list, err := os.ReadDir(folder)
		switch {
		case err == nil:
			s.found = true
		case errors.Is(err, fs.ErrPermission):
			s.found = true
			s.denied = append(s.denied, folder)
		case !errors.Is(err, fs.ErrNotExist):
			s.found = true
			s.damaged = append(s.damaged, err.Error())
		}
		for _, e := range list {
			if name := e.Name(); strings.HasSuffix(name, ".journal") || strings.HasSuffix(name, ".journal~") {
				s.add(filepath.Join(folder, name))
			}
		}
	}
	for _, st := range s.streams {
		slices.SortFunc(st.files, func(a, b file) int { return cmp.Compare(a.head, b.head) })
	}
	// The one that ended first is read first; so the records come about in their order.
	slices.SortStableFunc(s.streams, func(a, b *stream) int { return cmp.Compare(a.tailTime, b.tailTime) })
	return s
}

func (s *survey) add(path string) {
	f, err := readHeader(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errEmpty): // removed, or about to be written
		return
	case errors.Is(err, fs.ErrPermission):
		s.denied = append(s.denied, path)
		return
	case err != nil:
		s.damaged = append(s.damaged, fmt.Sprintf("%s: %v", path, err))
		return
	}
	at := slices.IndexFunc(s.streams, func(st *stream) bool { return st.id == f.stream })
	if at < 0 {
		at = len(s.streams)
		s.streams = append(s.streams, &stream{id: f.stream})
	}
	st := s.streams[at]
	st.files = append(st.files, f)
	if f.tail > st.tail {
		st.tail, st.tailTime = f.tail, f.tailTime
	}
}

var errEmpty = errors.New("the file is empty")

// readHeader reads the header of the file at a path.
func readHeader(path string) (file, error) {
	in, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return file{}, err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil {
		return file{}, err
	} else if !info.Mode().IsRegular() {
		return file{}, errors.New("it is no file")
	}
	b := make([]byte, headerSize)
	n, err := io.ReadFull(in, b)
	if n == 0 && errors.Is(err, io.EOF) {
		return file{}, errEmpty
	} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return file{}, err
	}
	f, err := parseHeader(b[:n])
	if err != nil {
		return file{}, err
	}
	f.path = path
	name := filepath.Base(path)
	f.lineage, _, f.archived = strings.Cut(name, "@")
	f.lineage, _, _ = strings.Cut(f.lineage, ".journal")
	return f, nil
}

// unchanged reports whether the files are still those that they were.
func unchanged(files []file) bool {
	for i := range files {
		if f, err := readHeader(files[i].path); err != nil || f.id != files[i].id {
			return false
		}
	}
	return true
}

// oldest returns the number of the first entry that is there of the stream's main lineage: that of the system, if it has one.
func (st *stream) oldest() uint64 {
	var system, any uint64
	for i := len(st.files) - 1; i >= 0; i-- { // they are in the order of their heads
		if f := &st.files[i]; f.head > 0 {
			any = f.head
			if f.lineage == "system" {
				system = f.head
			}
		}
	}
	return cmp.Or(system, any)
}

// closed reports whether nobody writes to any of the stream's files.
func (st *stream) closed() bool {
	return !slices.ContainsFunc(st.files, func(f file) bool { return !f.archived })
}

// lacks reports whether the stream of a key is gone. Where there is a file that could not be read it may be there.
func (s *survey) lacks(name string) bool {
	return len(s.denied) == 0 && len(s.damaged) == 0 &&
		!slices.ContainsFunc(s.streams, func(st *stream) bool { return key(st.id) == name })
}

// alone reports whether no other files take numbers from the same counter: journald counts for the system and all users.
func (s *survey) alone() bool {
	lineage := ""
	for _, st := range s.streams {
		for i := range st.files {
			f := &st.files[i]
			if lineage == "" {
				lineage = f.lineage
			}
			if f.lineage != lineage {
				return false
			}
		}
	}
	return len(s.denied) == 0
}
