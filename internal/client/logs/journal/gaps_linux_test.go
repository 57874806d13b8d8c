package journal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// files returns the files of a folder's only stream, by their entries.
func files(t *testing.T, dir string) []file {
	t.Helper()
	s := look([]string{dir})
	if len(s.streams) != 1 {
		t.Fatalf("%d streams", len(s.streams))
	}
	return s.streams[0].files
}

// rotated writes a journal of n files with an entry each, at least.
func rotated(t *testing.T, dir string, n int) []file {
	t.Helper()
	x := newExport()
	for i := 0; i < n; i += 3 {
		x.rotate(fmt.Sprint("r", i))
	}
	x.remote(t, filepath.Join(dir, "system.journal"))
	list := files(t, dir)
	if len(list) < n-2 {
		t.Fatalf("there are %d files, not %d", len(list), n)
	}
	return list
}

func TestVacuumedEntriesAreAGap(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	list := rotated(t, dir, 12)
	k.q.Records = 5
	k.keep(good(t, ask(t, dir, k.q)), false)
	if out, err := exec.CommandContext(t.Context(), "journalctl", "--directory="+dir, "--vacuum-files=3").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	left := files(t, dir)
	if len(left) >= len(list) || left[0].head <= 6 {
		t.Fatalf("nothing was removed: %+v", left)
	}
	k.q.Records = 1000
	answer := good(t, k.readAll(dir))
	want := []report.Gap{{
		Epoch: answer.Epoch, First: 6, Last: int64(left[0].head) - 1, Reason: "they were removed from the journal before they were read",
	}}
	if !slices.Equal(k.gaps, want) {
		t.Errorf("gaps %+v, not %+v", k.gaps, want)
	}
	if got, want := len(k.stored), 5+int(left[len(left)-1].tail-left[0].head)+1; got != want {
		t.Errorf("%d records are stored, not %d", got, want)
	}
}

// A reading that does not get on tells of the gap, and so does none after it, until there is another.
func TestAGapIsToldOnceWhoeverGetsOn(t *testing.T) {
	for name, o := range map[string]Options{
		"journalctl fails": {Program: script(t, "echo oh >&2; exit 3")},
		"there is no room": {},
	} {
		t.Run(name, func(t *testing.T) {
			dir, k := folder(t), newKeeper(t)
			list := rotated(t, dir, 12)
			k.q.Records = int(list[0].tail)
			k.keep(good(t, ask(t, dir, k.q)), false)
			remove := func(files ...file) {
				for _, f := range files {
					if err := os.Remove(f.path); err != nil {
						t.Fatal(err)
					}
				}
			}
			remove(list[:4]...)
			o.Folders = []string{dir}
			k.q.Records = 1000
			q := k.q
			if name == "there is no room" {
				q.Bytes, q.Most = 10, 10
			}
			for round := range 3 {
				if round == 2 && name == "journalctl fails" {
					remove(list[4]) // and more is gone while it does
				}
				q.Cursor, q.Fresh = k.q.Cursor, k.q.Fresh
				k.keep(askWith(t.Context(), t, o, q), false)
			}
			good(t, k.readAll(dir))
			want := []report.Gap{{Epoch: k.q.Cursor.Epoch, First: int64(list[0].tail) + 1, Last: int64(list[4].head) - 1}}
			if name == "journalctl fails" {
				want = append(want, report.Gap{Epoch: k.q.Cursor.Epoch, First: int64(list[4].head), Last: int64(list[5].head) - 1})
			}
			for i := range k.gaps {
				k.gaps[i].Reason, k.gaps[i].Possible = "", false
			}
			if !slices.Equal(k.gaps, want) {
				t.Errorf("gaps %+v, not %+v", k.gaps, want)
			}
		})
	}
}

// A user's journal that takes numbers from the same counter has entries among those that are missing: they come, one by one,
// and the gap once.
func TestAGapThatAnotherJournalReachesInto(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	list := rotated(t, dir, 12)
	user := list[4]
	if err := os.Rename(user.path, filepath.Join(dir, "user-1.journal")); err != nil {
		t.Fatal(err)
	}
	k.q.Records = int(list[0].tail)
	k.keep(good(t, ask(t, dir, k.q)), false)
	for _, f := range append(slices.Clone(list[:4]), list[5:8]...) {
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
	}
	k.q.Records = 1
	good(t, k.readAll(dir))
	last := list[len(list)-1].tail
	if got, want := len(k.stored), int(list[0].tail+(user.tail-user.head+1)+(last-list[8].head+1)); got != want {
		t.Errorf("%d records are stored, not %d", got, want)
	}
	if len(k.gaps) != 1 || k.gaps[0].First != int64(list[0].tail)+1 || k.gaps[0].Last != int64(list[8].head)-1 || !k.gaps[0].Possible {
		t.Errorf("gaps %+v", k.gaps)
	}
}

func TestVacuumedEntriesThatWereReadAreNone(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	list := rotated(t, dir, 9)
	k.q.Records = int(list[1].tail)
	k.keep(good(t, ask(t, dir, k.q)), false)
	for _, f := range list[:2] {
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
	}
	if good(t, k.readAll(dir)); len(k.gaps) > 0 || len(k.stored) != int(list[len(list)-1].tail) {
		t.Errorf("%d records, gaps %+v", len(k.stored), k.gaps)
	}
}

// With a filter nobody knows whether any of those would have been wanted; with other journals beside it, whether there were any.
func TestGapThatIsOnlyPossible(t *testing.T) {
	for name, spoil := range map[string]func(dir string, k *keeper){
		"filter": func(_ string, k *keeper) { k.q.Filter.Levels = []report.Level{report.Information} },
		"user": func(dir string, _ *keeper) {
			newExport().lines("user", 1).remote(t, filepath.Join(dir, "user-1.journal"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, k := folder(t), newKeeper(t)
			list := rotated(t, dir, 9)
			last := list[len(list)-1]
			k.q.Records = 5
			spoil(dir, k)
			for len(k.stored) < 5 || k.q.Cursor.Record < 5 {
				k.keep(good(t, ask(t, dir, k.q)), false)
			}
			for _, f := range list[:len(list)-1] {
				if err := os.Remove(f.path); err != nil {
					t.Fatal(err)
				}
			}
			k.readAll(dir)
			if len(k.gaps) != 1 || !k.gaps[0].Possible || k.gaps[0].Last != int64(last.head)-1 {
				t.Errorf("%+v", k.gaps)
			}
		})
	}
}

// A journal in memory is gone after a restart, and what came last with it.
func TestJournalThatBeginsAnew(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	x.lines("before", 10).remote(t, filepath.Join(dir, "system.journal"))
	before := good(t, k.readAll(dir))
	if err := os.Remove(filepath.Join(dir, "system.journal")); err != nil {
		t.Fatal(err)
	}
	x.lines("after", 5).remote(t, filepath.Join(dir, "system.journal"))
	after := good(t, k.readAll(dir))
	k.once(map[string]int{"before": 10, "after": 5})
	if after.Epoch == before.Epoch || after.Begun == "" || after.Next.Record != 5 {
		t.Errorf("%+v", after)
	}
	if len(k.gaps) != 1 || k.gaps[0].Epoch != before.Epoch || k.gaps[0].First != 11 || k.gaps[0].Last != 0 {
		t.Errorf("%+v", k.gaps)
	}
	if k.readAll(dir); len(k.gaps) != 1 {
		t.Errorf("the gap is found again: %+v", k.gaps)
	}
}

// Old journals that were read to their end are removed one day, and nothing is missing then.
func TestArchivedStreamThatIsRemoved(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	x.lines("old", 10).remote(t, filepath.Join(dir, "system.journal"))
	old := archive(t, dir, "system")
	x.lines("new", 10).remote(t, filepath.Join(dir, "system.journal"))
	k.readAll(dir)
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	x.lines("newer", 10).remote(t, filepath.Join(dir, "system.journal"))
	good(t, k.readAll(dir))
	k.once(map[string]int{"old": 10, "new": 10, "newer": 10})
	if len(k.gaps) > 0 {
		t.Errorf("%+v", k.gaps)
	}
}

// After a power cut journald goes on from what had reached the disk: other entries get numbers that were read.
func TestNumbersThatGoBack(t *testing.T) {
	for _, more := range []int{1, 5, 8} { // fewer than were lost, as many, and more
		for _, filter := range []report.Filter{{}, {Levels: report.Levels()}, {Levels: []report.Level{report.Critical}}} {
			t.Run(fmt.Sprint(more, filter.Levels), func(t *testing.T) {
				dir, k := folder(t), newKeeper(t)
				k.q.Filter = filter
				path := filepath.Join(dir, "system.journal")
				x := newExport()
				x.lines("kept", 10).remote(t, path)
				disk, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				x.lines("lost", 5).remote(t, path)
				before := k.readAll(dir)
				if err := os.WriteFile(path, disk, 0o600); err != nil {
					t.Fatal(err)
				}
				x.at = x.at.Add(time.Minute)
				for i := 1; i <= more; i++ {
					x.add(fmt.Sprintf("MESSAGE=after %d", i), "PRIORITY=2")
				}
				x.remote(t, path)
				after := good(t, k.readAll(dir))
				got := 0
				for _, r := range k.stored {
					if strings.HasPrefix(r.Message, "after") {
						got++
					}
				}
				if got != more || after.Epoch == before.Epoch {
					t.Errorf("%d records after the power cut, not %d: %+v", got, more, after)
				}
				if again := k.readAll(dir); len(again.Records) > 0 || again.Begun != "" || again.More {
					t.Errorf("read again: %+v", again)
				}
			})
		}
	}
}

// damage overwrites the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("\xA5", 200_000)), 4_500_000); err != nil { // behind the table of hashes
		t.Fatal(err)
	}
}

func TestDamagedFile(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"overwritten": damage,
		"cut": func(t *testing.T, path string) {
			if err := os.Truncate(path, 1<<20); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, k := folder(t), newKeeper(t)
			x := newExport()
			x.lines("line", 20_000).rotate("more").rotate("last").remote(t, filepath.Join(dir, "system.journal"))
			list := files(t, dir)
			spoil(t, list[0].path)
			k.q.Records = 3000
			good(t, k.readAll(dir))
			missing := 0
			for _, g := range k.gaps {
				if g.Last < g.First || !strings.Contains(g.Reason, "damaged") || g.Possible {
					t.Errorf("%+v", g)
				}
				missing += int(g.Last - g.First + 1)
			}
			if total := int(list[len(list)-1].tail); len(k.stored)+missing != total || missing == 0 {
				t.Errorf("%d records and %d in gaps are not the %d that were written: %+v", len(k.stored), missing, total, k.gaps)
			}
		})
	}
}

// Journald begins a new file as soon as it comes upon the damage. Until then nobody knows whether it is for ever.
func TestDamagedFileThatIsWrittenTo(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	path := filepath.Join(dir, "system.journal")
	x := newExport()
	x.lines("line", 2000).remote(t, path)
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	answer := ask(t, dir, k.q)
	if answer.Trouble == nil || answer.Trouble.Kind != report.TroubleFailed || !strings.Contains(answer.Trouble.Text, path) {
		t.Fatalf("%+v", answer)
	}
	k.keep(answer, false)
	archive(t, dir, "system")
	x.lines("new", 3).remote(t, path)
	good(t, k.readAll(dir))
	k.once(map[string]int{"new": 3})
	if len(k.gaps) != 1 || k.gaps[0].First != 1 || k.gaps[0].Last != 2000 {
		t.Errorf("%+v", k.gaps)
	}
}

func TestFileThatIsNoJournal(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	newExport().lines("line", 5).remote(t, filepath.Join(dir, "system.journal"))
	for name, text := range map[string]string{"system@1.journal~": strings.Repeat("x", 500), "empty.journal": "", "other.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answer := ask(t, dir, k.q)
	if answer.Trouble == nil || answer.Trouble.Kind != report.TroubleFailed || !strings.Contains(answer.Trouble.Text, "system@1.journal~") {
		t.Errorf("%+v", answer.Trouble)
	}
	k.keep(answer, false)
	k.once(map[string]int{"line": 5})
}

// A user's journal is gone while the system's is read on: the gap is of an epoch that is neither the cursor's nor the answer's.
func TestJournalOfAUserThatIsRemoved(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	x.lines("user", 4).remote(t, filepath.Join(dir, "user-1.journal"))
	user := good(t, k.readAll(dir)).Epoch
	x.lines("system", 4).remote(t, filepath.Join(dir, "system.journal"))
	k.readAll(dir)
	if err := os.Remove(filepath.Join(dir, "user-1.journal")); err != nil {
		t.Fatal(err)
	}
	x.lines("more", 4).remote(t, filepath.Join(dir, "system.journal"))
	good(t, k.readAll(dir))
	k.once(map[string]int{"user": 4, "system": 4, "more": 4})
	if len(k.gaps) != 1 || k.gaps[0].Epoch != user || k.gaps[0].First != 5 {
		t.Errorf("%+v", k.gaps)
	}
}
