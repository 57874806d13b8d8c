package files_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// What a reservation says of a file is enough to tell it from another that begins with the same lines: under its number the
// ids of the one would hide the records of the other.
func TestACrashAndThenAFileThatBeginsAlike(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	head := text(lines(0, 40)) // more than is looked at of a file's beginning
	appendTo(t, path, head+"of the old file\n")
	s.dies()
	must(t, os.Remove(path))
	appendTo(t, path, head+"of the new file\n")
	s.visit()
	if got := s.order[len(s.order)-1]; got != "of the new file" {
		t.Errorf("the last line is %q", got)
	}
}

// An epoch that began with a file of which nothing could be read would have nothing to know the file by.
func TestAnEpochDoesNotBeginWithNothing(t *testing.T) {
	for name, ask := range map[string]func(*server) report.Logs{
		"no room": func(s *server) report.Logs { return s.askFor(t.Context(), 50) },
		"no time": func(s *server) report.Logs {
			ctx, cancel := context.WithCancel(t.Context())
			return s.ask(&interrupted{ctx, 4, cancel})
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			s := newServer(t, path)
			appendTo(t, path, "a\n")
			s.want("a")
			rotate(t, path, 3)
			b := strings.Repeat("b", 100)
			appendTo(t, path, b+"\n")
			s.request.Fresh = 2
			answer := ask(s)
			s.keep(answer)
			if !answer.More || len(answer.Records) != 0 {
				t.Fatalf("got %+v", answer)
			}
			appendTo(t, path+".1", "late\n") // by who has not heard of the rotation
			late := time.Now().Add(time.Second)
			must(t, os.Chtimes(path+".1", late, late))
			s.want("a", "late", b)
			s.wantNoGap()
		})
	}
}

// From now on means from the first answer on that was kept, also where there was no file then, and the cursor was not kept.
func TestACrashWhereThereIsNoFileYet(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.request.Since, s.late = 0, 0
	s.dies()
	appendTo(t, path, "a\n")
	rotate(t, path, 3)
	s.late = time.Minute
	appendTo(t, path, "b\n")
	s.want("a", "b")
	s.wantNoGap()
}

// The rest of a line that was passed over at the first reading is passed over again after a crash.
func TestACrashInTheMiddleOfALongLine(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.request.Since = 0
	appendTo(t, path, strings.Repeat("x", 200<<10))
	s.dies()
	appendTo(t, path, "y\na\n")
	s.want("a")
}

// Who writes to a file that was rotated long ago keeps what came after it from being read: that is told, and nothing is lost.
func TestAFileThatIsNeverLeft(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	s.late = 0
	const a, b, c = "2026-11-20T01:00:00Z h p: a", "2026-11-21T01:00:00Z h p: b", "2026-11-22T01:00:00Z h p: c"
	appendTo(t, path, a+"\n")
	s.want(a)
	rotate(t, path, 3)
	appendTo(t, path, b+"\n")
	before := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(path, before, before))
	s.want(a)
	rotate(t, path, 3)
	appendTo(t, path, c+"\n")
	appendTo(t, path+".2", "late\n")
	s.visit()
	if s.last.Trouble == nil || s.last.Trouble.Kind != report.TroubleFailed || !strings.Contains(s.last.Trouble.Text, "auth.log.2 is still") {
		t.Fatalf("got %+v", s.last.Trouble)
	}
	s.late = time.Minute
	s.want(a, "late", b, c)
	s.wantNoGap()
}
