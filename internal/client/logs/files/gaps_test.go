package files_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

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

func TestACrashAtTheFirstReading(t *testing.T) {
	path := folder(t)
	appendTo(t, path, time.Now().UTC().Format(time.RFC3339)+" h p: a\nb\n")
	s := newServer(t, path)
	s.request.Since, s.records, s.late = time.Hour, 1, 0
	s.dies()
	s.late = 10 * time.Hour
	s.visit()
	if len(s.order) != 2 || s.order[1] != "b" {
		t.Errorf("got %q", s.order)
	}
}

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
