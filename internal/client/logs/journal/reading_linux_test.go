package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs"
	"muster/internal/report"
)

func TestSince(t *testing.T) {
	dir := folder(t)
	x := newExport().lines("old", 5)
	x.at = noon().Add(2 * time.Hour)
	x.lines("new", 5).remote(t, filepath.Join(dir, "system.journal"))
	for _, c := range []struct {
		since time.Duration
		want  int
	}{{report.SinceAll, 10}, {0, 0}, {time.Minute, 0}, {time.Hour + time.Minute, 5}, {4 * time.Hour, 10}} {
		q := all()
		q.Since, q.Now = c.since, noon().Add(3*time.Hour)
		answer := good(t, ask(t, dir, q))
		if len(answer.Records) != c.want || answer.More || len(answer.Gaps) > 0 {
			t.Errorf("since %v: %d records, not %d: %+v", c.since, len(answer.Records), c.want, answer)
		}
		if answer.Epoch == 0 || answer.Begun == "" || answer.Why != "first reading" {
			t.Errorf("since %v: epoch %d %q %q", c.since, answer.Epoch, answer.Begun, answer.Why)
		}
		if answer.Next.Record != 10 {
			t.Errorf("since %v: the next reading begins after %d", c.since, answer.Next.Record)
		}
		x.at = noon().Add(2*time.Hour + time.Minute)
		if again := good(t, ask(t, dir, on(q, answer))); len(again.Records) > 0 || again.Begun != "" || again.Next != answer.Next {
			t.Errorf("since %v: read again: %+v", c.since, again)
		}
	}
}

// A server of tests keeps cursors as the real one does, and stores each record by its epoch and id.
type keeper struct {
	t      *testing.T
	q      logs.Query
	stored map[[2]int64]report.Record
	order  []string // messages as they came first
	gaps   []report.Gap
	epochs int
}

func newKeeper(t *testing.T) *keeper {
	return &keeper{t: t, q: all(), stored: make(map[[2]int64]report.Record)}
}

// keep stores an answer; where it is lost the cursor stays where it is, and the epoch that began is reserved.
func (k *keeper) keep(answer report.Logs, lost bool) {
	k.t.Helper()
	if err := answer.Clean(); err != nil {
		k.t.Fatalf("the answer can't be sent: %v", err)
	}
	if answer.Begun != "" {
		k.q.Begun = report.Epoch{Number: answer.Epoch, Identity: answer.Begun}
		k.q.Fresh = max(k.q.Fresh, answer.Epoch+1)
	}
	for _, r := range answer.Records {
		id := [2]int64{answer.Epoch, r.ID}
		had, twice := k.stored[id]
		if twice && had.Message != r.Message {
			k.t.Fatalf("record %v is %q and %q", id, had.Message, r.Message)
		}
		if !twice {
			k.order = append(k.order, r.Message)
		}
		k.stored[id] = r
	}
	if lost {
		return
	}
	k.gaps = append(k.gaps, answer.Gaps...)
	if answer.Next.Epoch == k.q.Cursor.Epoch && answer.Next.Record < k.q.Cursor.Record {
		k.t.Fatalf("the cursor went back from %+v to %+v", k.q.Cursor, answer.Next)
	}
	if answer.Next.Epoch == k.q.Begun.Number {
		k.q.Begun = report.Epoch{}
		k.epochs++
	}
	k.q.Cursor = answer.Next
}

// readAll reads until there is no more.
func (k *keeper) readAll(dir string) report.Logs {
	k.t.Helper()
	for range 10_000 {
		answer := ask(k.t, dir, k.q)
		k.keep(answer, false)
		if !answer.More {
			return answer
		}
	}
	k.t.Fatal("there is always more")
	return report.Logs{}
}

// once fails unless each of the messages is stored once.
func (k *keeper) once(want map[string]int) {
	k.t.Helper()
	got := make(map[string]int)
	for _, r := range k.stored {
		got[r.Message]++
	}
	for word, n := range want {
		for i := 1; i <= n; i++ {
			if m := fmt.Sprintf("%s %d", word, i); got[m] != 1 {
				k.t.Errorf("%q is stored %d times", m, got[m])
			}
			delete(got, fmt.Sprintf("%s %d", word, i))
		}
	}
	if len(got) > 0 {
		k.t.Errorf("%d records are stored that nobody wrote, such as %v", len(got), firstOf(got))
	}
}

func firstOf(m map[string]int) string {
	for name := range m {
		return name
	}
	return ""
}

// Of the system and of two users, with rotations, while all are written to: whatever the size of the batches, and however
// many answers are lost, every entry is stored once.
func TestEveryEntryOnceInBatchesOfAnySize(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			dir, k := folder(t), newKeeper(t)
			written := make(map[string]int)
			for round := range 6 {
				for _, lineage := range []string{"system", "user-1000", "user-1001"} {
					if random.IntN(3) == 0 {
						continue
					}
					x := newExport()
					x.at = noon().Add(time.Duration(round) * time.Minute)
					word := fmt.Sprintf("%s-%d", lineage, round)
					if random.IntN(4) == 0 {
						written[word] = 3
						x.rotate(word)
					} else {
						written[word] = random.IntN(200)
						x.lines(word, written[word])
					}
					if x.Len() > 0 {
						x.remote(t, filepath.Join(dir, lineage+".journal"))
					}
				}
				for range random.IntN(12) {
					k.q.Records = 1 + random.IntN(100)
					k.q.Bytes = 1 + random.IntN(40_000)
					k.q.Most = 1 << 20
					if answer := ask(t, dir, k.q); answer.Trouble == nil {
						k.keep(answer, random.IntN(3) == 0)
					}
				}
			}
			k.q.Records, k.q.Bytes = 1000, 1<<20
			good(t, k.readAll(dir))
			k.once(written)
			if len(k.gaps) > 0 {
				t.Errorf("gaps were invented: %+v", k.gaps)
			}
		})
	}
}

func TestHundredThousandEntries(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	newExport().lines("line", 100_000).remote(t, filepath.Join(dir, "system.journal"))
	k.q.Records, k.q.Bytes = 30_000, 3<<20
	good(t, k.readAll(dir))
	k.once(map[string]int{"line": 100_000})
	for i, m := range k.order {
		if m != fmt.Sprintf("line %d", i+1) {
			t.Fatalf("record %d is %q", i+1, m)
		}
	}
	if k.epochs != 1 || len(k.gaps) > 0 {
		t.Errorf("%d epochs, gaps %v", k.epochs, k.gaps)
	}
}

// The oldest stream is read first, so that records come about in their order.
func TestStreamsOneAfterTheOther(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	x.lines("old", 3).remote(t, filepath.Join(dir, "system@old.journal"))
	x.lines("new", 3).remote(t, filepath.Join(dir, "system.journal"))
	first := good(t, ask(t, dir, k.q))
	if got := messages(first.Records); !slices.Equal(got, []string{"old 1", "old 2", "old 3"}) || !first.More {
		t.Fatalf("%v, more: %v", got, first.More)
	}
	k.keep(first, false)
	second := good(t, ask(t, dir, k.q))
	k.keep(second, false)
	if second.More || second.Begun == "" || second.Epoch == first.Epoch || second.Why == "" || second.Next.Record != 3 {
		t.Errorf("%+v", second)
	}
	x.lines("newest", 2).remote(t, filepath.Join(dir, "system.journal"))
	third := good(t, ask(t, dir, k.q))
	if third.Begun != "" || third.Epoch != second.Epoch || len(third.Records) != 2 {
		t.Errorf("%+v", third)
	}
}

// An entry has the same ids however often, and after whatever else, it is read.
func TestFilters(t *testing.T) {
	dir := folder(t)
	x := newExport().lines("sshd", 16).lines("CRON", 8)
	x.add("MESSAGE=by its program", "_COMM=Su", "PRIORITY=3").remote(t, filepath.Join(dir, "system.journal"))
	for _, c := range []struct {
		filter report.Filter
		want   int
	}{
		{report.Filter{Levels: []report.Level{report.Error, report.Warning}}, 7},
		{report.Filter{Levels: []report.Level{report.AuditFailure}}, 0},
		{report.Filter{Providers: []string{"cron"}}, 8},
		{report.Filter{Providers: []string{"su"}}, 1},
		{report.Filter{Providers: []string{"!sshd"}}, 9},
		{report.Filter{Providers: []string{"nobody"}}, 0},
		{report.Filter{Providers: []string{"sshd", "Cron"}, Levels: []report.Level{report.Emergency}}, 3},
	} {
		q := all()
		q.Filter = c.filter
		answer := good(t, ask(t, dir, q))
		if len(answer.Records) != c.want || answer.Next.Record != 25 || answer.More {
			t.Errorf("%+v: %d records, next %+v", c.filter, len(answer.Records), answer.Next)
		}
		for i := range answer.Records {
			if !c.filter.Match(&answer.Records[i]) {
				t.Errorf("%+v: %+v", c.filter, answer.Records[i])
			}
		}
	}
	for _, filter := range []report.Filter{{XPath: "*"}, {Events: report.Events{{First: 1, Last: 2}}}} {
		q := all()
		q.Filter = filter
		if answer := ask(t, dir, q); answer.Trouble == nil || answer.Trouble.Kind != report.TroubleQuery || answer.Next != q.Cursor {
			t.Errorf("%+v: %+v", filter, answer)
		}
	}
}

// The entry at the cursor is not among those that the filter selects: then journalctl --after-cursor would leave one out.
func TestFilterThatLeavesOutTheEntryAtTheCursor(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	k.q.Filter.Levels = []report.Level{report.Error}
	x := newExport()
	for round := 1; round <= 3; round++ {
		x.add("MESSAGE=debug", "PRIORITY=7").add(fmt.Sprintf("MESSAGE=error %d", round), "PRIORITY=3").add("MESSAGE=debug", "PRIORITY=7")
		x.remote(t, filepath.Join(dir, "system.journal"))
		k.readAll(dir)
	}
	k.once(map[string]int{"error": 3})
}

// Where nothing is new journalctl is not run at all, whatever the filter left out.
func TestNothingNewCostsNothing(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 20).remote(t, filepath.Join(dir, "system.journal"))
	q := all()
	q.Filter.Levels = []report.Level{report.Critical}
	answer := good(t, ask(t, dir, q))
	o := Options{Folders: []string{dir}, Program: filepath.Join(dir, "nothing")}
	if again := good(t, askWith(t.Context(), t, o, on(q, answer))); again.More || again.Next != answer.Next {
		t.Errorf("%+v", again)
	}
}

func TestBounds(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 100).remote(t, filepath.Join(dir, "system.journal"))
	q := all()
	q.Records = 7
	if a := good(t, ask(t, dir, q)); len(a.Records) != 7 || !a.More || a.Next.Record != 7 {
		t.Errorf("%d records, more: %v, next %+v", len(a.Records), a.More, a.Next)
	}
	q = all()
	q.Bytes = 2000
	a := good(t, ask(t, dir, q))
	size := 0
	for i := range a.Records {
		size += a.Records[i].Size()
	}
	if size > 2000 || size < 1000 || !a.More {
		t.Errorf("%d bytes, more: %v", size, a.More)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	newExport().lines("a", 3000).remote(t, filepath.Join(dir, "system.journal"))
	ctx, cancel := context.WithCancel(t.Context())
	pipe := filepath.Join(t.TempDir(), "some")
	// The first thousand entries, and then nothing more.
	o := Options{Folders: []string{dir}, Program: script(t,
		`/usr/bin/env journalctl "$@" | awk '/^__CURSOR/ {n++} n<=1000' ; : >`+pipe+`; sleep 1000`)}
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(pipe); err == nil {
				cancel()
			}
		}
	}()
	answer := askWith(ctx, t, o, k.q)
	if !answer.More || len(answer.Records) == 0 || answer.Trouble != nil {
		t.Fatalf("%d records, more: %v, trouble: %+v", len(answer.Records), answer.More, answer.Trouble)
	}
	k.keep(answer, false)
	k.readAll(dir)
	k.once(map[string]int{"a": 3000})
}

func TestJournalsOfSeveralFolders(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	for _, name := range []string{"run", "var"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		x.lines(name, 4).remote(t, filepath.Join(dir, name, "system.journal"))
	}
	o := Options{Folders: []string{filepath.Join(dir, "run"), filepath.Join(dir, "var"), filepath.Join(dir, "none")}}
	for range 2 {
		k.keep(good(t, askWith(t.Context(), t, o, k.q)), false)
	}
	k.once(map[string]int{"run": 4, "var": 4})
}

// journalctl takes a file's name for a pattern.
func TestFolderWithAStrangeName(t *testing.T) {
	dir := filepath.Join(folder(t), `a [b] *?{c,d}\e`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	newExport().lines("a", 4).remote(t, filepath.Join(dir, "system.journal"))
	if answer := good(t, ask(t, dir, all())); len(answer.Records) != 4 {
		t.Errorf("%+v", answer)
	}
}

func TestPositionThatIsNotUnderstood(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 4).remote(t, filepath.Join(dir, "system.journal"))
	q := all()
	q.Cursor = report.Cursor{Epoch: 5, Record: 3, Position: "2 something newer"}
	answer := ask(t, dir, q)
	if answer.Trouble == nil || !strings.Contains(answer.Trouble.Text, "newer") || answer.Next != q.Cursor || len(answer.Records) > 0 {
		t.Errorf("%+v", answer)
	}
}
