package files_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

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
		"1 1:1 4 - 4:0123456789abcdef 4:0123456789abcdef 0 2 4:0123456789abcdef 2:0123456789abcdef 0",
		"1 1:1 4 - 4:0123456789abcdef 4:0123456789abcdef 0 4 4:0123456789abcdef 4:0123456789abcdef -1",
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

func TestAFileFromTheFuture(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\n")
	must(t, os.Chtimes(path, time.Now().AddDate(1, 0, 0), time.Now().AddDate(1, 0, 0)))
	s := newServer(t, path)
	if at := s.part().Records[0].Time; time.Until(at) > time.Hour {
		t.Errorf("it was written at %v", at)
	}
}
