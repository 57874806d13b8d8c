package files_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
	"muster/internal/report"
)

// server keeps what a server keeps of a channel: cursor, epochs and records. It is as suspicious as the database: a record
// that comes twice must be the same, and ids must grow.
type server struct {
	t       testing.TB
	request report.LogRequest
	records int // of one reading
	bytes   int
	late    time.Duration // how much later it is than the clock says: files that were just written to are settled then

	fence files.Fence

	early func() bool // whether to crash after the epoch that begins in an answer is noted, before its records are kept
	crash func() bool // whether to crash after the records of an answer are kept, before its cursor is

	kept  map[key]string
	order []string // the raw lines in the order in which they came, each once
	gaps  []report.Gap
	whys  []string
	last  report.Logs
}

type key struct{ epoch, id int64 }

func newServer(t testing.TB, path string) *server {
	return &server{
		t:       t,
		request: report.LogRequest{Channel: report.FileChannel + path, Raw: true, Since: report.SinceAll},
		records: 1000,
		bytes:   1 << 20,
		late:    time.Minute,
		kept:    map[key]string{},
	}
}

// awaiting returns a server that has read lines of a file, which was rotated then, and where it is: its next visits wait for more
// there.
func awaiting(t testing.TB, lines ...string) (*server, string) {
	t.Helper()
	path := folder(t)
	s := newServer(t, path)
	s.late = 0
	appendTo(t, path, text(lines))
	s.want(lines...)
	rotate(t, path, 3)
	return s, path
}

// part reads once.
func (s *server) part() report.Logs {
	s.t.Helper()
	s.request.Fresh = max(s.request.Cursor.Epoch, s.request.Begun.Number) + 1
	answer := s.ask(context.Background())
	s.keep(answer)
	return answer
}

func (s *server) ask(ctx context.Context) report.Logs {
	return s.askFor(ctx, 1<<20)
}

// askFor is ask where no record may have more than so many bytes.
func (s *server) askFor(ctx context.Context, most int) report.Logs {
	return files.Source(s.fence).Read(ctx, logs.Query{
		LogRequest: s.request, Records: s.records, Bytes: min(s.bytes, most), Most: most, Now: time.Now().Add(s.late),
	})
}

func (s *server) keep(answer report.Logs) {
	s.t.Helper()
	s.last = answer
	asked := report.Request{Logs: []report.LogRequest{s.request}}
	if err := asked.CheckLogs([]report.Logs{answer}); err != nil {
		s.t.Errorf("a server refuses it: %v", err)
	}
	if len(answer.Next.Position) > report.MaxPosition || len(answer.Begun) > report.MaxIdentity {
		s.t.Errorf("a position of %d bytes, an identity of %d", len(answer.Next.Position), len(answer.Begun))
	}
	if words := strings.Fields(answer.Next.Position); len(words) >= 7 && len(words[2]) > 4 && !strings.HasPrefix(words[5], "1024:") {
		s.t.Errorf("too little is known of what stands before the position %q", answer.Next.Position)
	}
	if answer.Begun != "" {
		s.request.Begun = report.Epoch{Number: answer.Epoch, Identity: answer.Begun}
		s.whys = append(s.whys, answer.Why)
	} else if answer.Epoch != s.request.Cursor.Epoch {
		s.t.Errorf("the epoch is %d and not %d, and did not begin", answer.Epoch, s.request.Cursor.Epoch)
	}
	if s.early != nil && s.early() {
		return
	}
	var before int64
	if answer.Epoch == s.request.Cursor.Epoch {
		before = s.request.Cursor.Record
	}
	for _, r := range answer.Records {
		if r.ID <= before {
			s.t.Errorf("record %d came after %d in epoch %d", r.ID, before, answer.Epoch)
		}
		before = r.ID
		k := key{answer.Epoch, r.ID}
		if line, ok := s.kept[k]; !ok {
			s.kept[k] = r.Raw
			s.order = append(s.order, r.Raw)
		} else if line != r.Raw {
			s.t.Errorf("epoch %d, record %d was %q and is %q now", k.epoch, k.id, line, r.Raw)
		}
	}
	for _, g := range answer.Gaps {
		if !slices.ContainsFunc(s.gaps, func(o report.Gap) bool { return o.Epoch == g.Epoch && o.First == g.First }) {
			s.gaps = append(s.gaps, g)
		}
	}
	if s.crash != nil && s.crash() {
		return
	}
	s.request.Cursor = answer.Next
}

// dies has the server crash once an answer's records are kept, before its cursor is.
func (s *server) dies() {
	s.t.Helper()
	s.crash = func() bool { return true }
	s.part()
	s.crash = nil
}

// visit reads until there is no more for now.
func (s *server) visit() {
	s.t.Helper()
	for range 100_000 {
		if !s.part().More {
			return
		}
	}
	s.t.Fatal("there is no end to it")
}

// want visits and compares all lines that ever came.
func (s *server) want(lines ...string) {
	s.t.Helper()
	s.visit()
	if s.last.Trouble != nil {
		s.t.Errorf("trouble: %+v", *s.last.Trouble)
	}
	wantLines(s.t, s.order, lines)
}

func wantLines(t testing.TB, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%d lines came, not %d: %.100q is missing", len(got), len(want), want[i])
		case i >= len(want):
			t.Fatalf("%d lines came, not %d: %.100q is too many", len(got), len(want), got[i])
		case got[i] != want[i]:
			t.Fatalf("line %d is %.100q and not %.100q", i, got[i], want[i])
		}
	}
}

func (s *server) wantNoGap() {
	s.t.Helper()
	if len(s.gaps) != 0 {
		s.t.Errorf("gaps: %+v", s.gaps)
	}
}

// folder makes a folder for a log and returns the log's path.
func folder(t testing.TB) string {
	t.Helper()
	if runtime.GOOS != "windows" {
		return filepath.Join(t.TempDir(), "auth.log")
	}
	// Wine does not know the call with which Go removes folders; TestOnWindows removes all that is Wine's.
	dir, err := os.MkdirTemp("", "files")
	must(t, err)
	return filepath.Join(dir, "auth.log")
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rotate renames path.1 to path.2 and so on, and path to path.1, as logrotate does.
func rotate(t testing.TB, path string, most int) {
	t.Helper()
	for i := most; i > 0; i-- {
		for _, packed := range []string{"", ".gz"} {
			old, next := fmt.Sprintf("%s.%d%s", path, i-1, packed), fmt.Sprintf("%s.%d%s", path, i, packed)
			if i == 1 {
				old = path + packed
			}
			if err := os.Rename(old, next); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
}

// line makes a line that is told from all others.
func line(n int) string {
	return fmt.Sprintf("Nov 23 17:01:02 host writer[%d]: line %d %s", n%1000, n, strings.Repeat("x", n%61))
}

func lines(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, line(n))
	}
	return all
}

func text(lines []string) string { return strings.Join(lines, "\n") + "\n" }

func chance(random *rand.Rand, percent int) bool { return random.IntN(100) < percent }
