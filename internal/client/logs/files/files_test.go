package files_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs/files"
	"muster/internal/report"
	"muster/internal/testserver"
)

func TestLinesAsTheyAreWritten(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\nb\n")
	s.want("a", "b")
	s.want("a", "b")
	appendTo(t, path, "c")
	s.want("a", "b") // its end is to come
	appendTo(t, path, "d\ne")
	s.want("a", "b", "cd")
	appendTo(t, path, "\n\n\r\nf\r\n")
	s.want("a", "b", "cd", "e", "f")
	s.wantNoGap()
	for id, raw := range map[int64]string{1: "a", 3: "b", 5: "cd", 8: "e", 13: "f"} {
		if got := s.kept[key{1, id}]; got != raw {
			t.Errorf("record %d is %q and not %q", id, got, raw)
		}
	}
	if len(s.whys) != 1 || s.whys[0] != "first reading" {
		t.Errorf("epochs began: %q", s.whys)
	}
}

func TestCursorStaysWhereNothingIsWritten(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\n")
	s.visit()
	before := s.request.Cursor
	must(t, os.Chtimes(path, time.Now(), time.Now()))
	appendTo(t, path, "partial")
	s.visit()
	if s.request.Cursor != before {
		t.Errorf("the cursor went from %+v to %+v", before, s.request.Cursor)
	}
}

func TestFields(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "\ufeff2026-11-20T17:01:02Z host sshd[7]: hello\njust a text\n")
	written := time.Now().Add(-time.Hour).Truncate(time.Second)
	must(t, os.Chtimes(path, written, written))
	s := newServer(t, path)
	answer := s.part()
	if len(answer.Records) != 2 {
		t.Fatalf("%+v", answer)
	}
	first, second := answer.Records[0], answer.Records[1]
	if first.Computer != "host" || first.Source != "sshd" || first.Process != 7 || first.Message != "hello" ||
		!first.Time.Equal(time.Date(2026, 11, 20, 17, 1, 2, 0, time.UTC)) || first.ID != 1 {
		t.Errorf("got %+v", first)
	}
	// A line without a time was written at the latest when its file was.
	if second.Message != "just a text" || !second.Time.Equal(written) || second.Time.Location() != time.UTC {
		t.Errorf("got %+v, not at %v", second, written)
	}
	s = newServer(t, path)
	s.request.Raw = false
	if raw := s.part().Records[1].Raw; raw != "" {
		t.Errorf("the raw line %q was not asked for", raw)
	}
}

func TestRotationByRename(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\nb\n")
	s.want("a", "b")
	appendTo(t, path, "c\n")
	rotate(t, path, 3)
	s.want("a", "b", "c") // the new file is not there yet
	appendTo(t, path+".1", "d\n")
	appendTo(t, path, "")
	s.want("a", "b", "c", "d") // the writer has not opened it yet
	appendTo(t, path+".1", "e")
	appendTo(t, path, "f\n")
	s.want("a", "b", "c", "d", "e", "f") // the last line of the old file has no end
	s.wantNoGap()
	if len(s.whys) != 2 || s.whys[1] != "the file was rotated" {
		t.Errorf("epochs began: %q", s.whys)
	}
	if s.kept[key{1, 9}] != "e" || s.kept[key{2, 1}] != "f" {
		t.Errorf("kept %v", s.kept)
	}
}

func TestAFileIsNotLeftWhileItIsWrittenTo(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.late = 0
	appendTo(t, path, "a\n")
	s.want("a")
	rotate(t, path, 3)
	appendTo(t, path, "from one who has opened the new file\n")
	appendTo(t, path+".1", "b\nc")
	s.want("a", "b")
	if s.last.More {
		t.Error("there is more, at once")
	}
	appendTo(t, path+".1", "c\n")
	s.want("a", "b", "cc")
	s.late = time.Minute
	s.want("a", "b", "cc", "from one who has opened the new file")
}

func TestSeveralRotations(t *testing.T) {
	for name, next := range map[string]func(t *testing.T, path string, i int){
		"numbers": func(t *testing.T, path string, i int) { rotate(t, path, 9) },
		"compressed, but for the newest": func(t *testing.T, path string, i int) {
			rotate(t, path, 9)
			if _, err := os.Stat(path + ".2"); err == nil {
				compress(t, path+".2")
			}
		},
		"compressed": func(t *testing.T, path string, i int) { rotate(t, path, 9); compress(t, path+".1") },
		"bzip2": func(t *testing.T, path string, i int) {
			bzip2 := testserver.Need(t, "bzip2", "bzip2")
			must(t, os.Rename(path, path+"-2026112"+strconv.Itoa(i)))
			must(t, exec.Command(bzip2, path+"-2026112"+strconv.Itoa(i)).Run())
		},
		"dates": func(t *testing.T, path string, i int) {
			must(t, os.Rename(path, path+"-2026110"+strconv.Itoa(i)))
		},
		"dates, compressed": func(t *testing.T, path string, i int) {
			must(t, os.Rename(path, path+"-2026110"+strconv.Itoa(i)))
			compress(t, path+"-2026110"+strconv.Itoa(i))
		},
		"dates before the extension": func(t *testing.T, path string, i int) {
			must(t, os.Rename(path, filepath.Join(filepath.Dir(path), "auth-2026-11-0"+strconv.Itoa(i)+".log")))
		},
		"growing numbers": func(t *testing.T, path string, i int) {
			old := time.Now().Add(time.Duration(i-100) * time.Hour)
			must(t, os.Chtimes(path, old, old))
			must(t, os.Rename(path, path+"."+strconv.Itoa(i)))
		},
		"copies": func(t *testing.T, path string, i int) { rotate(t, path, 9); copyTruncate(t, path+".1", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			s := newServer(t, path)
			s.records = 3 // so that a file takes several readings
			all := newServer(t, path)
			appendTo(t, path, text(lines(0, 10)))
			s.want(lines(0, 10)...)
			appendTo(t, path, text(lines(10, 15)))
			for i := 1; i <= 4; i++ {
				next(t, path, i)
				appendTo(t, path, text(lines(5+10*i, 15+10*i)))
			}
			s.want(lines(0, 55)...)
			s.wantNoGap()
			all.want(lines(0, 55)...) // a first reading begins with the oldest file
			if len(s.whys) != 5 || len(all.whys) != 5 {
				t.Errorf("epochs: %q and %q", s.whys, all.whys)
			}
		})
	}
}

// copyTruncate is what logrotate's copytruncate does, once the older files are renamed. rotate has renamed the live file, too:
// it is put back first.
func copyTruncate(t *testing.T, copied, path string) {
	t.Helper()
	must(t, os.Rename(copied, path))
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(copied, content, 0o600))
	must(t, os.Truncate(path, 0))
}

// compress replaces a file as gzip does: there are both for a moment.
func compress(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path+".gz", packed(content), 0o600))
	must(t, os.Chtimes(path+".gz", info.ModTime(), info.ModTime()))
	must(t, os.Remove(path))
}

func packed(content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(content)
	z.Close()
	return b.Bytes()
}

func TestCopyTruncate(t *testing.T) {
	t.Run("everything was read", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, "a\nb\n")
		s.want("a", "b")
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content, 0o600))
		s.want("a", "b") // the copy is there, the original still whole
		must(t, os.Truncate(path, 0))
		s.want("a", "b")
		appendTo(t, path, "c\n")
		s.want("a", "b", "c")
		s.wantNoGap()
	})
	t.Run("the file has grown beyond the cursor since", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 5)))
		s.visit()
		appendTo(t, path, text(lines(5, 6)))
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content, 0o600))
		must(t, os.Truncate(path, 0))
		appendTo(t, path, text(lines(6, 20)))
		s.want(lines(0, 20)...)
		s.wantNoGap()
	})
	t.Run("lines were read that the copy has not", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 50)))
		s.visit()
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content, 0o600))
		appendTo(t, path, text(lines(50, 52)))
		s.visit()
		must(t, os.Truncate(path, 0))
		appendTo(t, path, text(lines(52, 60)))
		s.want(lines(0, 60)...)
		s.wantNoGap()
	})
	t.Run("a copy of what is not read yet is being made", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 5)))
		s.visit()
		rotate(t, path, 3)
		must(t, os.Chtimes(path+".1", time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)))
		appendTo(t, path, text(lines(5, 50)))
		rotate(t, path+".1", 0)
		must(t, os.Rename(path+".1", path+".2"))
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content[:len(content)/2], 0o600))
		s.late = 0
		s.want(lines(0, 5)...) // it waits
		must(t, os.WriteFile(path+".1", content, 0o600))
		must(t, os.Truncate(path, 0))
		s.late = time.Minute
		s.want(lines(0, 50)...)
		s.wantNoGap()
	})
	t.Run("a copy is being made at the first reading", func(t *testing.T) {
		path := folder(t)
		appendTo(t, path, text(lines(0, 50)))
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content[:len(content)/2], 0o600))
		s := newServer(t, path)
		s.late = 0
		s.want()
		must(t, os.WriteFile(path+".1", content, 0o600))
		must(t, os.Truncate(path, 0))
		appendTo(t, path, text(lines(50, 52)))
		s.late = time.Minute
		s.want(lines(0, 52)...)
	})
	t.Run("the writer does not append", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		f, err := os.Create(path)
		must(t, err)
		defer f.Close()
		io.WriteString(f, text(lines(0, 2000)))
		s.visit()
		for i := range 3 { // a file that begins with NUL may be truncated again
			content, _ := os.ReadFile(path)
			must(t, os.WriteFile(path+"."+strconv.Itoa(9-i), content, 0o600))
			must(t, os.Truncate(path, 0))
			io.WriteString(f, text(lines(2000+i, 2001+i)))
			s.want(lines(0, 2001+i)...)
		}
		s.wantNoGap()
	})
}

func TestGaps(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, path string)
		want   []string
		reason string
	}{
		"truncated": {func(t *testing.T, path string) {
			must(t, os.Truncate(path, 0))
			appendTo(t, path, "n\n")
		}, []string{"n"}, "auth.log was truncated or written anew"},
		"truncated, and longer since": {func(t *testing.T, path string) {
			must(t, os.Truncate(path, 0))
			appendTo(t, path, text(lines(0, 9)))
		}, lines(0, 9), "auth.log was truncated or written anew"},
		"deleted": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".gone"))
			appendTo(t, path, "n\n")
			must(t, os.Remove(path+".gone"))
		}, []string{"n"}, "auth.log was rotated away, deleted or replaced before its end was read"},
		"rotated away, with newer ones left": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".gone"))
			appendTo(t, path+".2", "m\n")
			appendTo(t, path+".1", "n\n")
			appendTo(t, path, "o\n")
			must(t, os.Remove(path+".gone"))
		}, []string{"m", "n", "o"}, "auth.log was rotated away, deleted or replaced before its end was read"},
		"compressed in a way that nobody can unpack": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".1.xz"))
			appendTo(t, path, "n\n")
		}, []string{"n"}, "can't unpack"},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			older := time.Now().Add(-time.Hour)
			appendTo(t, path+".9", "read long ago\n")
			must(t, os.Chtimes(path+".9", older.Add(-time.Hour), older.Add(-time.Hour)))
			appendTo(t, path, "a\nb\n")
			must(t, os.Chtimes(path, older, older))
			s := newServer(t, path)
			s.want("read long ago", "a", "b")
			test.change(t, path)
			s.want(append([]string{"read long ago", "a", "b"}, test.want...)...)
			s.want(append([]string{"read long ago", "a", "b"}, test.want...)...)
			if len(s.gaps) == 0 || s.gaps[0].Epoch != 2 || s.gaps[0].First != 5 || s.gaps[0].Last != 0 || s.gaps[0].Possible {
				t.Fatalf("gaps: %+v", s.gaps)
			}
			var reasons []string
			for _, gap := range s.gaps {
				reasons = append(reasons, gap.Reason)
			}
			if !strings.Contains(strings.Join(reasons, "; "), test.reason) {
				t.Errorf("the reasons are %q", reasons)
			}
		})
	}
}

func TestAGapOfAFilterIsPossible(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\n")
	s := newServer(t, path)
	s.request.Filter.Providers = []string{"sshd"}
	s.visit()
	must(t, os.Truncate(path, 0))
	s.visit()
	if len(s.gaps) != 0 {
		t.Errorf("a gap is told before anybody knows where it goes on: %+v", s.gaps)
	}
	appendTo(t, path, "Nov 23 17:01:02 h sshd[1]: x\n")
	s.want("Nov 23 17:01:02 h sshd[1]: x")
	if len(s.gaps) != 1 || !s.gaps[0].Possible {
		t.Errorf("gaps: %+v", s.gaps)
	}
}

func TestADamagedFile(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\n")
	s.want("a")
	content := packed([]byte("a\n" + text(lines(0, 5000))))
	must(t, os.WriteFile(path+".1.gz", content[:len(content)*3/4], 0o600))
	must(t, os.Remove(path))
	appendTo(t, path, "z\n")
	s.visit()
	n := len(s.order)
	if n < 1000 || s.order[n-1] != "z" || len(s.gaps) != 1 || !strings.Contains(s.gaps[0].Reason, "can't be unpacked from byte") {
		t.Fatalf("%d lines, the last %q; gaps %+v", n, s.order[n-1], s.gaps)
	}
	wantLines(t, s.order[1:n-1], lines(0, n-2))
	if s.gaps[0].First <= s.request.Cursor.Record {
		t.Errorf("the gap begins at %d", s.gaps[0].First)
	}
}

func TestBothTheFileAndItsCompressedForm(t *testing.T) {
	path := folder(t)
	appendTo(t, path+".1", "a\nb\n")
	must(t, os.WriteFile(path+".1.gz", packed([]byte("a\n")), 0o600)) // gzip is at work
	appendTo(t, path, "c\n")
	newServer(t, path).want("a", "b", "c")
}

func TestAnInodeIsUsedAgain(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "== log opened ==\na\n")
	s.want("== log opened ==", "a")
	// On most file systems the new file has the old one's inode; if not, the other tests have that.
	must(t, os.WriteFile(path+".1.gz", packed([]byte("== log opened ==\na\nb\n")), 0o600))
	must(t, os.Remove(path))
	appendTo(t, path, "== log opened ==\nc\nd\n")
	s.want("== log opened ==", "a", "b", "== log opened ==", "c", "d")
	s.wantNoGap()
}

func TestFilesThatBeginAlike(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "== log opened ==\n")
	s.want("== log opened ==")
	appendTo(t, path, "a\n")
	rotate(t, path, 3)
	appendTo(t, path, "== log opened ==\n")
	s.want("== log opened ==", "a", "== log opened ==")
	appendTo(t, path, "b\n")
	rotate(t, path, 3)
	compress(t, path+".1")
	compress(t, path+".2")
	appendTo(t, path, "== log opened ==\nc\n")
	s.want("== log opened ==", "a", "== log opened ==", "b", "== log opened ==", "c")
	s.wantNoGap()
}

func TestACopyTakesTheFilesPlace(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\nb\n")
	s.want("a", "b")
	content, _ := os.ReadFile(path)
	must(t, os.WriteFile(path+".new", append(content, "c\n"...), 0o600))
	must(t, os.Rename(path+".new", path))
	s.want("a", "b", "c")
	s.wantNoGap()
	if len(s.whys) != 1 {
		t.Errorf("epochs began: %q", s.whys)
	}
}

func TestEmptyRotatedFilesArePassedOver(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\n")
	s.want("a")
	for range 3 {
		rotate(t, path, 9)
		appendTo(t, path, "")
		s.want("a")
	}
	compress(t, path+".3")
	compress(t, path+".2")
	appendTo(t, path, "b\n")
	s.want("a", "b")
	s.wantNoGap()
	if len(s.whys) != 2 {
		t.Errorf("epochs began: %q", s.whys)
	}
}

func TestLongLines(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	long := strings.Repeat("é", report.MaxRaw) // twice as many bytes
	appendTo(t, path, "a\n"+long)
	s.visit()
	appendTo(t, path, long)
	s.visit()
	appendTo(t, path, "\nb\n")
	s.visit()
	if len(s.order) != 3 || s.order[0] != "a" || s.order[2] != "b" {
		t.Fatalf("%d lines", len(s.order))
	}
	if cut := s.order[1]; len(cut) > report.MaxRaw || len(cut) < report.MaxRaw-4 || strings.Trim(cut, "é") != "" {
		t.Errorf("%d bytes, ending in %q", len(cut), cut[len(cut)-4:])
	}
	// Just as long as a line may be, and a byte more.
	s = newServer(t, path)
	must(t, os.WriteFile(path, []byte(strings.Repeat("x", report.MaxRaw)+"\n"+strings.Repeat("y", report.MaxRaw+1)+"\nz\n"), 0o600))
	answer := s.part()
	if len(answer.Records) != 3 || answer.Records[0].Raw != strings.Repeat("x", report.MaxRaw) ||
		answer.Records[1].Raw != strings.Repeat("y", report.MaxRaw) || !answer.Records[1].Altered || answer.Records[2].Raw != "z" {
		t.Errorf("%d records", len(answer.Records))
	}
}

func TestStrangeBytes(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\xffb\n\x00\x00c\nd\x00e\n\x1b[31mred\n")
	s := newServer(t, path)
	answer := s.part()
	if len(answer.Records) != 4 {
		t.Fatalf("%d records", len(answer.Records))
	}
	for i, id := range []int64{1, 7, 9, 13} {
		if answer.Records[i].ID != id {
			t.Errorf("record %d has id %d and not %d", i, answer.Records[i].ID, id)
		}
	}
	if answer.Records[1].Raw != "c" || answer.Records[1].Altered {
		t.Errorf("NUL before a line: %+v", answer.Records[1])
	}
}

func TestASparseFile(t *testing.T) {
	path := folder(t)
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(256<<20))
	f.Seek(0, io.SeekEnd)
	io.WriteString(f, "a\n")
	f.Close()
	s := newServer(t, path)
	s.want("a")
	if _, ok := s.kept[key{1, 256<<20 + 1}]; !ok {
		t.Errorf("kept %v", s.kept)
	}
}

func TestBounds(t *testing.T) {
	path := folder(t)
	appendTo(t, path, text(lines(0, 100)))
	s := newServer(t, path)
	s.records = 7
	for i := range 14 {
		if answer := s.part(); len(answer.Records) != 7 || !answer.More {
			t.Fatalf("part %d: %d records, more: %v", i, len(answer.Records), answer.More)
		}
	}
	if answer := s.part(); len(answer.Records) != 2 || answer.More {
		t.Fatalf("the last: %d records, more: %v", len(answer.Records), answer.More)
	}
	s = newServer(t, path)
	s.bytes = 2000
	s.want(lines(0, 100)...)
	s = newServer(t, path)
	s.bytes, s.records = 1, 1
	s.want(lines(0, 100)...)
}

func TestFilter(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "Nov 23 17:01:02 h sshd[1]: a\nNov 23 17:01:02 h cron[1]: b\n<3>c\nNov 23 17:01:02 h cron[1]: d\n")
	for name, test := range map[string]struct {
		filter report.Filter
		want   []string
	}{
		"a provider":       {report.Filter{Providers: []string{"SSHD"}}, []string{"Nov 23 17:01:02 h sshd[1]: a"}},
		"not a provider":   {report.Filter{Providers: []string{"!cron"}}, []string{"Nov 23 17:01:02 h sshd[1]: a", "<3>c"}},
		"a level":          {report.Filter{Levels: []report.Level{report.Error}}, []string{"<3>c"}},
		"events are not":   {report.Filter{Events: report.Events{{First: 1, Last: 1}}, Providers: []string{"sshd"}}, []string{"Nov 23 17:01:02 h sshd[1]: a"}},
		"nothing selected": {report.Filter{Providers: []string{"x"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, path)
			s.request.Filter = test.filter
			s.want(test.want...)
			if s.request.Cursor.Record != 64 { // passed over
				t.Errorf("the cursor is at %d", s.request.Cursor.Record)
			}
		})
	}
}

func TestNoFiles(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		path string
		want report.TroubleKind
		text string
	}{
		"absent":     {filepath.Join(dir, "x.log"), report.TroubleAbsent, "x.log"},
		"no folder":  {filepath.Join(dir, "y", "x.log"), report.TroubleAbsent, "x.log"},
		"a folder":   {dir, report.TroubleFailed, "is a folder"},
		"relative":   {"var/log/auth.log", report.TroubleUnsupported, "absolute path"},
		"nothing":    {"", report.TroubleUnsupported, "absolute path"},
		"with a NUL": {dir + "/a\x00b", report.TroubleUnsupported, "absolute path"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := newServer(t, test.path).part()
			if answer.Trouble == nil || answer.Trouble.Kind != test.want || !strings.Contains(answer.Trouble.Text, test.text) {
				t.Errorf("got %+v", answer.Trouble)
			}
		})
	}
	if runtime.GOOS == "linux" {
		if answer := newServer(t, "/dev/null").part(); answer.Trouble == nil || !strings.Contains(answer.Trouble.Text, "a device") {
			t.Errorf("got %+v", answer.Trouble)
		}
	}
}

func TestDenied(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may read everything")
	}
	path := folder(t)
	appendTo(t, path, "a\n")
	s := newServer(t, path)
	s.want("a")
	must(t, os.Chmod(path, 0))
	if answer := s.part(); answer.Trouble == nil || answer.Trouble.Kind != report.TroubleDenied || answer.Next != s.request.Cursor {
		t.Errorf("got %+v", answer)
	}
	must(t, os.Chmod(path, 0o600))
	appendTo(t, path, "b\n")
	s.want("a", "b")
}

func TestALink(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "current"), filepath.Join(dir, "2026-11-21.txt")
	appendTo(t, target, "a\n")
	must(t, os.Symlink(target, path))
	s := newServer(t, path)
	s.want("a")
	appendTo(t, target, "b\n")
	for i := range 3 { // the link gets another target each day
		appendTo(t, filepath.Join(dir, "2026-11-2"+strconv.Itoa(2+i)+".txt"), strconv.Itoa(i)+"\n")
	}
	must(t, os.Remove(path))
	must(t, os.Symlink(filepath.Join(dir, "2026-11-24.txt"), path))
	s.want("a", "b", "0", "1", "2")
	s.wantNoGap()
}

func TestSince(t *testing.T) {
	now := time.Now().UTC()
	stamp := func(ago time.Duration, text string) string {
		return now.Add(-ago).Format("2006-01-02T15:04:05.000000Z07:00") + " h p: " + text
	}
	fill := func(t *testing.T) string {
		path := folder(t)
		write := func(path string, age time.Duration, lines ...string) {
			appendTo(t, path, text(lines))
			must(t, os.Chtimes(path, now.Add(-age), now.Add(-age)))
		}
		write(path+".3", 50*time.Hour, stamp(60*time.Hour, "a"), stamp(50*time.Hour, "b"))
		must(t, os.WriteFile(path+".2.gz", packed([]byte(text([]string{stamp(49*time.Hour, "c"), stamp(30*time.Hour, "d"), " more", stamp(25*time.Hour, "e")}))), 0o600))
		must(t, os.Chtimes(path+".2.gz", now.Add(-25*time.Hour), now.Add(-25*time.Hour)))
		write(path+".1", 2*time.Hour, stamp(24*time.Hour, "f"), stamp(3*time.Hour, "g"), stamp(2*time.Hour, "h"))
		write(path, time.Minute, stamp(90*time.Minute, "i"), " more", stamp(time.Minute, "j"))
		return path
	}
	all := []string{stamp(60*time.Hour, "a"), stamp(50*time.Hour, "b"), stamp(49*time.Hour, "c"), stamp(30*time.Hour, "d"), " more",
		stamp(25*time.Hour, "e"), stamp(24*time.Hour, "f"), stamp(3*time.Hour, "g"), stamp(2*time.Hour, "h"),
		stamp(90*time.Minute, "i"), " more", stamp(time.Minute, "j")}
	for name, test := range map[string]struct {
		since time.Duration
		from  int
	}{
		"all": {report.SinceAll, 0}, "now": {0, 12}, "an hour": {time.Hour, 11}, "100 minutes": {100 * time.Minute, 9},
		"2.5 hours": {150 * time.Minute, 8}, "26 hours": {26 * time.Hour, 5}, "31 hours": {31 * time.Hour, 3}, "a year": {8760 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := fill(t)
			s := newServer(t, path)
			s.late = 0
			s.request.Since = test.since
			s.want(all[test.from:]...)
			appendTo(t, path, "next\n")
			s.want(append(all[test.from:len(all):len(all)], "next")...)
			s.wantNoGap()
		})
	}
}

// A large file is searched by halving, and its beginning is never read.
func TestSinceInALargeFile(t *testing.T) {
	path := folder(t)
	now := time.Now().UTC().Truncate(time.Second)
	f, err := os.Create(path)
	must(t, err)
	const n = 40_000 // seconds
	var want []string
	for i := range n {
		line := now.Add(time.Duration(i-n)*time.Second).Format(time.RFC3339) + " h p: " + line(i)
		io.WriteString(f, line+"\n at some.java.code\n")
		if i >= n-3600 {
			want = append(want, line, " at some.java.code")
		}
	}
	must(t, f.Close())
	s := newServer(t, path)
	s.late = 0
	s.request.Since = time.Since(now.Add(-3600*time.Second)).Truncate(time.Second) + 500*time.Millisecond
	s.visit()
	if d := len(s.order) - len(want); d < -20 || d > 20 {
		t.Fatalf("%d lines came, not about %d", len(s.order), len(want))
	}
	if s.order[len(s.order)-1] != want[len(want)-1] || !strings.HasPrefix(s.order[0], "20") {
		t.Errorf("the first is %q, the last %q", s.order[0], s.order[len(s.order)-1])
	}
}

// What has no times can't be chosen by them: it begins with what comes.
func TestSinceWithoutTimes(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\nb\n")
	s := newServer(t, path)
	s.request.Since = time.Hour
	s.want()
	appendTo(t, path, "c\n")
	s.want("c")
}

func TestNowInTheMiddleOfALine(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\nb")
	s := newServer(t, path)
	s.request.Since = 0
	s.want()
	appendTo(t, path, "c\n")
	s.want("bc")
	path = folder(t)
	appendTo(t, path, strings.Repeat("x", report.MaxRaw+1))
	s = newServer(t, path)
	s.request.Since = 0
	s.want()
	appendTo(t, path, "c\nd\n")
	s.want("d")
}

// A file that comes after the first reading is read from its beginning, whatever since says.
func TestAFileThatIsNotThereYet(t *testing.T) {
	for name, since := range map[string]time.Duration{"now": 0, "hour": time.Hour, "all": report.SinceAll} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			s := newServer(t, path)
			s.late = 0
			s.request.Since = since
			s.visit()
			if s.last.Trouble == nil || s.last.Trouble.Kind != report.TroubleAbsent || s.request.Cursor.Epoch != 1 {
				t.Fatalf("got %+v", s.last)
			}
			s.visit()
			appendTo(t, path, "a")
			s.want()
			appendTo(t, path, "\n")
			rotate(t, path, 2)
			s.late = time.Minute
			s.visit()
			appendTo(t, path, "b\n")
			s.want("a", "b")
			s.wantNoGap()
		})
	}
}

func TestAnEmptyFileAtFirst(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "")
	s := newServer(t, path)
	s.want()
	appendTo(t, path, "a\n")
	rotate(t, path, 3)
	compress(t, path+".1") // and it can't be told any more by its inode
	appendTo(t, path, "b\n")
	s.want("a", "b")
	s.wantNoGap()
}

func TestAFileThatIsGone(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\n")
	s.want("a")
	must(t, os.Remove(path))
	before := s.request.Cursor
	s.visit()
	if s.last.Trouble == nil || s.last.Trouble.Kind != report.TroubleAbsent || s.request.Cursor != before || len(s.gaps) != 0 {
		t.Errorf("got %+v", s.last)
	}
	appendTo(t, path, "b\n")
	s.want("a", "b")
	if len(s.gaps) != 1 {
		t.Errorf("gaps: %+v", s.gaps)
	}
}

func TestAStrangeCursor(t *testing.T) {
	for _, position := range []string{
		"", "x", "1 a 5 - 1:x 1:y 0", "2 " + strings.Repeat("x ", 6), strings.Repeat("9", 1000),
		"1 1:1 -5 - 0:0123456789abcdef 0:0123456789abcdef 0", "1 1:1 5 - 1024:0123456789abcdef 5:0123456789abcdef 0",
	} {
		path := folder(t)
		appendTo(t, path, "a\nb\n")
		s := newServer(t, path)
		s.request.Cursor = report.Cursor{Epoch: 7, Record: 3, Position: position}
		s.want("a", "b")
		if len(s.gaps) != 1 || s.gaps[0].Epoch != 7 || s.gaps[0].First != 4 || s.request.Cursor.Epoch != 8 {
			t.Errorf("%.20q: gaps %+v, cursor %+v", position, s.gaps, s.request.Cursor)
		}
	}
}

func TestTheEndOfTheContext(t *testing.T) {
	path := folder(t)
	appendTo(t, path, text(lines(0, 10)))
	s := newServer(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		answer := s.ask(ctx)
		if !answer.More || len(answer.Records) != 0 || answer.Trouble != nil || answer.Next != s.request.Cursor && answer.Next.Epoch == 0 {
			t.Errorf("got %+v", answer)
		}
		s.records = 3
		s.part()
	}
}

// interrupted is a context that does something when it is asked for the nth time whether it has ended, as readers do
// before each piece of a file.
type interrupted struct {
	context.Context
	n  int
	do func()
}

func (i *interrupted) Err() error {
	if i.n--; i.n == 0 {
		i.do()
	}
	return i.Context.Err()
}

func TestCopyTruncateInTheMiddleOfAReading(t *testing.T) {
	for n := 1; n < 5; n++ { // it asks at least so often
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 5)))
		s.visit()
		s.records = 5000
		appendTo(t, path, text(lines(5, 2000)))
		s.keep(s.ask(&interrupted{t.Context(), n, func() {
			content, _ := os.ReadFile(path)
			must(t, os.WriteFile(path+".1", content, 0o600))
			must(t, os.Truncate(path, 0))
			appendTo(t, path, text(lines(2000, 5000)))
		}}))
		s.want(lines(0, 5000)...)
		s.wantNoGap()
	}
}

// An epoch that was begun before a crash is not another file's.
func TestACrashAndThenAnotherFile(t *testing.T) {
	for _, read := range []string{"", "a\n"} {
		path := folder(t)
		s := newServer(t, path)
		if read != "" {
			appendTo(t, path, read)
			s.visit()
			rotate(t, path, 3)
		}
		appendTo(t, path, "b\n")
		s.crash = func() bool { return true }
		s.request.Fresh = 5
		s.keep(s.ask(t.Context()))
		s.crash = nil
		must(t, os.Remove(path))
		appendTo(t, path, "c\n")
		s.visit()
		if got := s.order[len(s.order)-1]; got != "c" || s.request.Cursor.Epoch == 5 {
			t.Errorf("the last line is %q, in epoch %d", got, s.request.Cursor.Epoch)
		}
	}
}

// Records that were kept are asked for again under the same ids, and what follows them comes, however much later that is.
func TestACrashAtTheFirstReading(t *testing.T) {
	path := folder(t)
	appendTo(t, path, time.Now().UTC().Format(time.RFC3339)+" h p: a\nb\n")
	s := newServer(t, path)
	s.request.Since, s.records, s.late = time.Hour, 1, 0
	s.crash = func() bool { return true }
	s.part()
	s.crash = nil
	s.late = 10 * time.Hour
	s.visit()
	if len(s.order) != 2 || s.order[1] != "b" {
		t.Errorf("got %q", s.order)
	}
}

// Another file with the same beginning is another file.
func TestTheSameBeginning(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, text(lines(0, 60)))
	s.visit()
	content, _ := os.ReadFile(path)
	copy(content[len(content)-5:], "EDIT")
	must(t, os.WriteFile(path, append(content, "next\n"...), 0o600))
	s.visit()
	if len(s.gaps) != 1 || len(s.order) != 121 || s.order[120] != "next" {
		t.Errorf("%d lines; gaps: %+v", len(s.order), s.gaps)
	}
}

// A short file is no copy of a longer one that begins otherwise.
func TestAnOlderFileIsNoCopy(t *testing.T) {
	path := folder(t)
	old := time.Now().Add(-time.Hour)
	appendTo(t, path+".1", text(lines(500, 540)))
	must(t, os.Chtimes(path+".1", old, old))
	s := newServer(t, path)
	appendTo(t, path, text(lines(0, 60)))
	s.visit()
	must(t, os.Truncate(path, 0))
	appendTo(t, path, "next\n")
	s.visit()
	if len(s.gaps) != 1 || s.order[len(s.order)-1] != "next" {
		t.Errorf("gaps: %+v, the last line %q", s.gaps, s.order[len(s.order)-1])
	}
}

func TestAFileFromTheFuture(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\n")
	must(t, os.Chtimes(path, time.Now().AddDate(1, 0, 0), time.Now().AddDate(1, 0, 0)))
	s := newServer(t, path)
	if at := s.part().Records[0].Time; time.Until(at) > time.Hour {
		t.Errorf("it was written at %v", at)
	}
}

func TestSource(t *testing.T) {
	source := files.Source()
	if !source.Takes("file:/var/log/auth.log") || source.Takes("journal") || source.Takes("Security") || source.Read == nil {
		t.Error("it takes what it should not")
	}
}
