package files_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"muster/internal/report"
)

// generation is what a file held from its beginning until it was truncated or deleted, if it was.
type generation struct {
	lines     []string
	destroyed bool
}

// Whatever is destroyed, and between whichever two steps the server crashes: every line comes once, or was destroyed; and where
// any line of its file came, a gap of that file's epoch says that more may be missing.
func TestRandomDestruction(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			path := folder(t)
			s := newServer(t, path)
			s.records = 1 + random.IntN(20)
			s.late = 0 // the first reading is to be before all that is written later
			s.crash = func() bool { return chance(random, 30) }
			s.early = func() bool { return chance(random, 15) }
			if chance(random, 50) {
				appendTo(t, path, "")
			}
			files := []*generation{{}}
			n := 0
			write := func() {
				now := files[len(files)-1]
				for range random.IntN(8) {
					appendTo(t, path, line(n)+"\n")
					now.lines = append(now.lines, line(n))
					n++
				}
			}
			for range 40 {
				switch random.IntN(8) {
				case 0, 1, 2:
					write()
				case 3, 4, 5:
					s.part()
					if s.request.Cursor.Epoch > 0 {
						s.late = time.Minute
					}
				case 6:
					rotate(t, path, 30)
					files = append(files, &generation{})
					write()
				case 7:
					destroy := func() error { return os.Truncate(path, 0) }
					if chance(random, 50) {
						destroy = func() error { return os.Remove(path) }
					}
					if err := destroy(); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
					files[len(files)-1].destroyed = true
					files = append(files, &generation{})
				}
			}
			files = append(files, &generation{})
			rotate(t, path, 30)
			appendTo(t, path, "the end\n")
			s.crash, s.early, s.late = nil, nil, time.Minute
			s.visit()
			if len(s.order) == 0 || s.order[len(s.order)-1] != "the end" {
				t.Error("the end is missing")
			}
			s.balance(files)
		})
	}
}

// balance compares what was kept with what was written.
func (s *server) balance(files []*generation) {
	s.t.Helper()
	came := make(map[string][]key)
	for k, line := range s.kept {
		came[line] = append(came[line], k)
	}
	for i, f := range files {
		var last key
		missing := ""
		for _, line := range f.lines {
			keys := came[line]
			delete(came, line)
			switch {
			case len(keys) > 1:
				s.t.Errorf("file %d: %.30q came as %v", i, line, keys)
			case len(keys) == 1:
				last, missing = keys[0], ""
			case !f.destroyed:
				s.t.Errorf("file %d: %.30q did not come", i, line)
			default:
				missing = line
			}
		}
		if missing != "" && last.epoch != 0 && !slices.ContainsFunc(s.gaps, func(g report.Gap) bool { return g.Epoch == last.epoch && g.Last == 0 }) {
			s.t.Errorf("file %d: %.30q was destroyed after record %d of epoch %d had come, and no gap says so: %+v",
				i, missing, last.id, last.epoch, s.gaps)
		}
	}
	for line := range came {
		if line != "the end" {
			s.t.Errorf("%q was never written", line)
		}
	}
}

// wantOneGap wants a gap from one record of an epoch on.
func (s *server) wantOneGap(epoch, first int64) {
	s.t.Helper()
	if len(s.gaps) != 1 || s.gaps[0].Epoch != epoch || s.gaps[0].First != first || s.gaps[0].Last != 0 {
		s.t.Errorf("gaps: %+v", s.gaps)
	}
}

// A file that was empty at first, and one that has its inode, are told from each other by what was read of them: under the number
// of the one the ids of the other would hide its records.
func TestACrashBeforeAFileThatWasEmptyIsTruncated(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T, path string, s *server){
		"not there": func(*testing.T, string, *server) {},
		"empty":     func(t *testing.T, path string, _ *server) { appendTo(t, path, "") },
		"a line that has no end": func(t *testing.T, path string, _ *server) {
			appendTo(t, path, "x")
		},
		"empty, and a crash": func(t *testing.T, path string, s *server) {
			appendTo(t, path, "")
			s.dies()
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			s := newServer(t, path)
			s.late, s.request.Since = 0, 0
			begin(t, path, s)
			s.visit()
			appendTo(t, path, "a\nb\nc\n")
			s.dies()
			read := s.request.Begun.Number
			appendTo(t, path, "never read\n")
			must(t, os.Truncate(path, 0))
			appendTo(t, path, "d\ne\n")
			s.want(append(slices.Clone(s.order), "d", "e")...)
			if len(s.order) != 5 {
				t.Errorf("got %q", s.order)
			}
			s.wantOneGap(read, 1)
		})
	}
}

// Files may begin alike, with a line that has no time. So whatever more is read under an epoch's number is part of its identity.
func TestACrashAndMoreAndThenAFileThatBeginsAlike(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "== log opened ==\n")
	s.dies()
	appendTo(t, path, "a\nb\n")
	s.dies()
	must(t, os.Truncate(path, 0))
	appendTo(t, path, "== log opened ==\nc\nd\n")
	s.want("== log opened ==", "a", "b", "== log opened ==", "c", "d")
	s.wantOneGap(1, 1)
}

// From now on means from the first answer on that was perhaps kept, also where what it was of is gone.
func TestACrashAtTheFirstReadingOfAFileThatIsTruncated(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.request.Since = 0
	appendTo(t, path, "of old\n")
	s.dies()
	must(t, os.Truncate(path, 0))
	s.want()
	appendTo(t, path, "a\n")
	s.want("a")
	s.wantOneGap(1, int64(len("of old\n"))+1)
}

// A gap is not forgotten where a crash comes after the next epoch was noted, and before the gap was kept.
func TestAGapIsNotForgotten(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	var epochs []int64
	for _, line := range []string{"a", "b", "c"} {
		appendTo(t, path, line+"\n")
		s.early = func() bool { return true }
		s.part()
		epochs = append(epochs, s.request.Begun.Number)
		must(t, os.Truncate(path, 0))
	}
	s.early = nil
	appendTo(t, path, "d\n")
	s.want("d")
	for i, epoch := range epochs {
		if len(s.gaps) != len(epochs) || s.gaps[i].Epoch != epoch || s.gaps[i].First != 1 {
			t.Errorf("epochs %v began; gaps: %+v", epochs, s.gaps)
		}
	}
}

// However often that happens, and whether or not all files can be read: an identity is not longer than it may be.
func TestGapsWithoutEnd(t *testing.T) {
	for name, beside := range map[string]string{"": "auth.log.9", "a file that can't be read": "auth.log.9.xz"} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			appendTo(t, filepath.Join(filepath.Dir(path), beside), "")
			s := newServer(t, path)
			s.early = func() bool { return true }
			for i := range 100 {
				s.request.Begun.Number += 1 << 60 / 100
				appendTo(t, path, text(lines(i, i+100)))
				s.part()
				must(t, os.Truncate(path, 0))
			}
		})
	}
}

// The beginning of a line, which is all that a rotated file has, is a line when the file is left.
func TestARotatedFileWithoutAWholeLine(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.late = 0
	s.visit()
	appendTo(t, path, "a")
	rotate(t, path, 3)
	s.want()
	appendTo(t, path, "b\n")
	s.want()
	s.late = time.Minute
	s.want("a", "b")
	s.wantNoGap()
}

// A clock that was ahead at the first reading makes later files look as if they were older.
func TestACrashAndAClockThatWasAhead(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.late = time.Hour
	s.visit()
	s.late = time.Minute
	appendTo(t, path, "a\n")
	s.dies()
	appendTo(t, path, "b\n")
	rotate(t, path, 3)
	appendTo(t, path, "c\n")
	s.want("a", "b", "c")
	s.wantNoGap()
}
