package files_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// stops returns a context that ends when it is asked for the nth time whether it has.
func stops(t *testing.T, n int) *interrupted {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return &interrupted{ctx, n, cancel}
}

// A compressed file is unpacked up to where the reading stands. Where the time is too short for that it is told, and the
// reading stays there, whenever the time ends.
func TestTheTimeIsTooShortForACompressedFile(t *testing.T) {
	const n = 30_000 // some megabytes
	path := folder(t)
	s := newServer(t, path)
	s.records = 5000
	appendTo(t, path, text(lines(0, n)))
	for range 12 {
		s.part()
	}
	rotate(t, path, 3)
	compress(t, path+".1")
	appendTo(t, path, text(lines(n, n+5)))
	stands := s.request.Cursor
	late := 0
	for i := 1; i < 20; i++ {
		ctx := stops(t, i)
		s.request.Fresh = 2
		answer := s.ask(ctx)
		if !answer.More {
			break // it is done by then
		}
		if answer.Next.Record != stands.Record && len(answer.Records) == 0 || len(answer.Gaps) > 0 {
			t.Fatalf("ended at %d: %+v", i, answer)
		}
		if trouble := answer.Trouble; trouble != nil {
			late++
			if trouble.Kind != report.TroubleSlow || !strings.Contains(trouble.Text, "auth.log.1.gz, which was unpacked up to byte") {
				t.Errorf("ended at %d: %+v", i, *trouble)
			}
			if ctx.n < -3 {
				t.Errorf("ended at %d: it went on until it was asked %d times more", i, -ctx.n)
			}
		}
	}
	if late < 5 {
		t.Errorf("it was told %d times", late)
	}
	s.want(lines(0, n+5)...)
	s.wantNoGap()
}

// The time ends anywhere in any reading: each line comes once, and no gap is made up.
func TestTheTimeEndsAnywhere(t *testing.T) {
	const n = 4000
	for name, since := range map[string]time.Duration{"all": report.SinceAll, "a year": 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			stamp := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
			var want []string
			for i := range n {
				want = append(want, fmt.Sprintf("%s h p[1]: %s %d", stamp, strings.Repeat("x", i%150), i))
			}
			for _, crash := range []bool{false, true} {
				path := folder(t)
				for i := 3; i > 0; i-- { // the newest is .1
					appendTo(t, fmt.Sprintf("%s.%d", path, i), text(want[(3-i)*n/4:(4-i)*n/4]))
					compress(t, fmt.Sprintf("%s.%d", path, i))
				}
				appendTo(t, path, text(want[3*n/4:]))
				s := newServer(t, path)
				s.request.Since = since
				s.records = 900
				for i := 1; len(s.order) < n; i = i%25 + 1 {
					s.request.Fresh = max(s.request.Cursor.Epoch, s.request.Begun.Number) + 1
					if crash {
						s.crash = func() bool { return i%4 == 0 }
					}
					s.keep(s.ask(stops(t, i)))
				}
				s.crash = nil
				s.visit()
				wantLines(t, s.order, want)
				s.wantNoGap()
			}
		})
	}
}

// What becomes of the live file is not judged in a hurry, and neither is where an answer began that was perhaps kept.
func TestTheTimeEndsWhileAFileIsLookedFor(t *testing.T) {
	old := lines(0, 20_000) // more than is unpacked at once
	gone := func(path string) {
		rotate(t, path, 3)
		compress(t, path+".1")
	}
	for name, prepare := range map[string]func(s *server, path string) (want []string){
		"the live one": func(s *server, path string) []string {
			appendTo(t, path, "a\n")
			s.want("a")
			rotate(t, path, 3)
			appendTo(t, path, text(old))
			s.want("a")
			gone(path)
			return slices.Concat([]string{"a"}, old, []string{"z"})
		},
		"the one that was begun": func(s *server, path string) []string {
			s.request.Since = 0
			appendTo(t, path, text(old))
			s.dies()
			appendTo(t, path, "b\n")
			gone(path)
			return []string{"b", "z"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := 1; i < 9; i++ {
				path := folder(t)
				s := newServer(t, path)
				s.late = 0
				want := prepare(s, path)
				s.late, s.records = time.Minute, 5000
				s.request.Fresh = 2
				s.keep(s.ask(stops(t, i)))
				s.visit()
				appendTo(t, path, "z\n")
				s.want(want...)
				s.wantNoGap()
			}
		})
	}
}
