package files_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs/files"
	"muster/internal/report"
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

// copyTruncate is what logrotate's copytruncate does, once the older files are renamed. rotate has renamed the live file, too:

// it is put back first.

// compress replaces a file as gzip does: there are both for a moment.

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

// A large file is searched by halving, and its beginning is never read.

// What has no times can't be chosen by them: it begins with what comes.

// A file that comes after the first reading is read from its beginning, whatever since says.

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

// An epoch that was begun before a crash is not another file's.

// Records that were kept are asked for again under the same ids, and what follows them comes, however much later that is.

// Another file with the same beginning is another file.

// A short file is no copy of a longer one that begins otherwise.

func TestSource(t *testing.T) {
	source := files.Source(nil)
	if !source.Takes("file:/var/log/auth.log") || source.Takes("journal") || source.Takes("Security") || source.Read == nil {
		t.Error("it takes what it should not")
	}
}
