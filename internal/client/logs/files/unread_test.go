package files_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// What becomes of the live file while the reading stands in a rotated one: that it is gone unread is told where it was looked
// at before, once, behind the last line of the rotated one.
func TestTheLiveFileWhileARotatedOneIsRead(t *testing.T) {
	anew := func(t *testing.T, path string) {
		must(t, os.Truncate(path, 0))
		appendTo(t, path, "n\n")
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, path string)
		want   []string // after those of the rotated file
		gap    bool
	}{
		"it is truncated": {anew, []string{"n"}, true},
		"it is truncated, and longer since": {func(t *testing.T, path string) {
			must(t, os.Truncate(path, 0))
			appendTo(t, path, text(lines(50, 90)))
		}, lines(50, 90), true},
		"it is written anew with the same beginning": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(text(lines(20, 30))), 0o600))
		}, lines(20, 30), true},
		"it is deleted": {func(t *testing.T, path string) {
			must(t, os.Remove(path))
			appendTo(t, path, "n\n")
		}, []string{"n"}, true},
		"it is cut at its beginning": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(text(lines(21, 40))), 0o600))
		}, lines(21, 40), true},
		"it is written on": {func(t *testing.T, path string) {
			appendTo(t, path, "n\n")
		}, append(lines(20, 40), "n"), false},
		"it is rotated": {func(t *testing.T, path string) {
			rotate(t, path, 3)
			appendTo(t, path, "n\n")
		}, append(lines(20, 40), "n"), false},
		"it is rotated and compressed": {func(t *testing.T, path string) {
			rotate(t, path, 3)
			compress(t, path+".1")
			appendTo(t, path, "n\n")
		}, append(lines(20, 40), "n"), false},
		"it is copied and truncated": {func(t *testing.T, path string) {
			rotate(t, path, 3)
			copyTruncate(t, path+".1", path)
			appendTo(t, path, "n\n")
		}, append(lines(20, 40), "n"), false},
		"it is copied a moment too early, and truncated": {func(t *testing.T, path string) {
			rotate(t, path, 3)
			must(t, os.WriteFile(path, []byte(text(lines(20, 39))), 0o600))
			must(t, os.Rename(path, path+".copy"))
			must(t, os.Rename(path+".1", path))
			must(t, os.Rename(path+".copy", path+".1"))
			anew(t, path)
		}, append(lines(20, 39), "n"), true},
		"it is replaced by a copy of itself": {func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path+".new", content, 0o600))
			must(t, os.Rename(path+".new", path))
		}, lines(20, 40), false},
		"it is compressed in a way that nobody can unpack": {func(t *testing.T, path string) {
			rotate(t, path, 3)
			must(t, os.Rename(path+".1", path+".1.xz"))
			appendTo(t, path, "n\n")
		}, []string{"n"}, true},
	} {
		for _, waits := range []string{"it is quiet", "its end is read"} {
			t.Run(name+", before "+waits, func(t *testing.T) {
				path := folder(t)
				s := newServer(t, path)
				appendTo(t, path, text(lines(0, 10)))
				s.visit()
				appendTo(t, path, text(lines(10, 20)))
				rotate(t, path, 3)
				appendTo(t, path, text(lines(20, 40))) // more than is remembered of its beginning
				var last string
				if waits == "it is quiet" {
					s.late = 0
					s.want(lines(0, 20)...)
					last = lines(19, 20)[0]
				} else {
					s.records = 5
					s.part()
					last = lines(14, 15)[0]
				}
				if got := s.order[len(s.order)-1]; got != last {
					t.Fatalf("it stands behind %q", got)
				}
				test.change(t, path)
				s.part() // and looks at what has become of it
				s.late = time.Minute
				s.want(append(lines(0, 20), test.want...)...)
				if !test.gap {
					s.wantNoGap()
					return
				}
				end := int64(len(text(lines(0, 20)))) + 1
				if len(s.gaps) != 1 || s.gaps[0].Epoch != 1 || s.gaps[0].First != end || s.gaps[0].Last != 0 {
					t.Errorf("gaps, not one from %d on: %+v", end, s.gaps)
				}
			})
		}
	}
}

// The first reading begins with a rotated file, too.
func TestTheLiveFileWhileTheFirstReadingIsInARotatedOne(t *testing.T) {
	path := folder(t)
	appendTo(t, path+".1", text(lines(0, 10)))
	appendTo(t, path, text(lines(10, 20)))
	s := newServer(t, path)
	s.records = 5
	s.part()
	must(t, os.Truncate(path, 0))
	appendTo(t, path, "n\n")
	s.want(append(lines(0, 10), "n")...)
	if len(s.gaps) != 1 {
		t.Errorf("gaps: %+v", s.gaps)
	}
}

// The rotated file begins as the live one did, which is not to say that it holds what that had.
func TestALiveFileThatBeginsAsTheRotatedOneAndIsGone(t *testing.T) {
	s, path := awaiting(t, "== log opened ==", "a")
	appendTo(t, path, "== log opened ==\n")
	s.visit()
	must(t, os.Truncate(path, 0))
	appendTo(t, path, "b\n")
	s.late = time.Minute
	s.want("== log opened ==", "a", "b")
	if len(s.gaps) != 1 {
		t.Errorf("gaps: %+v", s.gaps)
	}
}

// A line that is being written is none yet: nobody knows what would have become of it.
func TestALiveFileWithoutALineIsNotMissed(t *testing.T) {
	s, path := awaiting(t, "a")
	appendTo(t, path, "partial")
	s.want("a")
	must(t, os.Truncate(path, 0))
	appendTo(t, path, "b\n")
	s.late = time.Minute
	s.want("a", "b")
	s.wantNoGap()
}

// The cursor moves with what is seen of the live file, and stays where that does.
func TestTheCursorStaysWhileARotatedFileIsWaitedFor(t *testing.T) {
	s, path := awaiting(t, "a")
	s.want("a")
	appendTo(t, path, "b\n")
	s.want("a")
	before := s.request.Cursor
	if s.want("a"); s.request.Cursor != before {
		t.Errorf("the cursor went from %+v to %+v", before, s.request.Cursor)
	}
	appendTo(t, path, "c\n")
	if s.want("a"); s.request.Cursor == before {
		t.Error("nobody remembers how far the live file is written")
	}
}

// clearing is that of a live file: which of its lines it destroyed, and whether a reading had looked at it.
type clearing struct {
	from, to int // to is not among them
	known    bool
}

// history is a log whose live file is rotated and cleared.
type history struct {
	*testing.T
	random  *rand.Rand
	path    string
	server  *server
	written int // lines
	first   int // line of the live file
	known   bool
	cleared []clearing
}

func (h *history) write() {
	n := h.random.IntN(6)
	appendTo(h.T, h.path, strings.Join(append(lines(h.written, h.written+n), ""), "\n"))
	h.written += n
}

func (h *history) read() {
	h.server.late = time.Duration(h.random.IntN(2)) * time.Minute // or a rotated file is not quiet yet
	h.server.part()
	h.known = h.known || h.written > h.first && !h.untold()
}

// untold reports whether lines are gone that are to be told of yet. Until they are nothing else is noted.
func (h *history) untold() bool {
	come := make(map[string]bool, len(h.server.order))
	for _, line := range h.server.order {
		come[line] = true
	}
	isCome := func(n int) bool { return come[line(n)] }
	for _, c := range h.cleared {
		passed := isCome(c.to - 1)
		for n := c.to; n < h.written; n++ {
			passed = passed || isCome(n)
		}
		if c.known && !passed {
			return true
		}
	}
	return false
}

func (h *history) rotate() {
	rotate(h.T, h.path, 60)
	h.first, h.known = h.written, false
}

func (h *history) clear() {
	if err := os.Truncate(h.path, 0); err != nil && !os.IsNotExist(err) {
		h.Fatal(err)
	}
	h.cleared = append(h.cleared, clearing{h.first, h.written, h.known})
	h.first, h.known = h.written, false
}

// Whatever is rotated and cleared in whatever order: what is missing was destroyed, and is a gap where a reading had looked at
// its file; and no gap is where nothing was cleared.
func TestRandomClearings(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			path := folder(t)
			h := &history{T: t, random: rand.New(rand.NewPCG(seed, 2)), path: path, server: newServer(t, path)}
			h.server.records = 1 + h.random.IntN(12)
			appendTo(t, path, line(0)+"\n")
			h.written = 1
			h.read()
			for range 60 {
				switch h.random.IntN(9) {
				case 0, 1, 2:
					h.write()
				case 3, 4, 5, 6:
					h.read()
				case 7:
					h.rotate()
				case 8:
					h.clear()
				}
			}
			appendTo(t, path, line(h.written)+"\n")
			h.written++
			h.server.late = time.Minute
			h.server.visit()
			h.balance()
		})
	}
}

// row is a line where the server has it.
type row struct {
	line int
	key
}

// balance looks at what is between each two lines that follow each other.
func (h *history) balance() {
	h.Helper()
	numbers := make(map[string]int, h.written)
	for i, line := range lines(0, h.written) {
		numbers[line] = i
	}
	rows := []row{{-1, key{}}}
	for k, line := range h.server.kept {
		n, ok := numbers[line]
		if !ok {
			h.Errorf("nobody wrote %q", line)
		}
		rows = append(rows, row{n, k})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.line, b.line) })
	for i, after := range rows[1:] {
		before := rows[i]
		if after.line == before.line {
			h.Errorf("line %d is there twice: %+v and %+v", after.line, before.key, after.key)
		}
		cleared, known := false, false
		lost := make(map[int]bool)
		for _, c := range h.cleared {
			cleared = cleared || before.line < c.to && c.to <= after.line
			for n := max(c.from, before.line+1); n < min(c.to, after.line); n++ {
				lost[n], known = true, known || c.known
			}
		}
		gaps := 0
		for _, g := range h.server.gaps {
			if isBetween(g, before.key, after.key) {
				gaps++
			}
		}
		switch missing := after.line - before.line - 1; {
		case len(lost) < missing:
			h.Errorf("between %d and %d lines are missing that nobody destroyed", before.line, after.line)
		case known && gaps == 0:
			h.Errorf("the lines between %d and %d were destroyed, and there is no gap: %+v", before.line, after.line, h.server.gaps)
		case gaps > 0 && !cleared:
			h.Errorf("between %d and %d are %d gaps, and nothing was destroyed", before.line, after.line, gaps)
		}
	}
	if last := rows[len(rows)-1].line; last != h.written-1 {
		h.Errorf("the last line is %d and not %d", last, h.written-1)
	}
}

func isBetween(g report.Gap, before, after key) bool {
	at := key{g.Epoch, g.First}
	return compareKeys(before, at) < 0 && compareKeys(at, after) <= 0
}

func compareKeys(a, b key) int { return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.id, b.id)) }
