package journal

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"muster/internal/report"
)

func TestAnswerThatWasLostHasTheSameIDsAgain(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	x := newExport()
	x.lines("system", 3).remote(t, filepath.Join(dir, "system.journal"))
	k.readAll(dir)
	for i, lineage := range []string{"user-1", "system", "user-2"} {
		x.at = noon().Add(time.Duration(3-i) * time.Minute) // so that the last is the oldest, and read first
		x.lines(lineage+"-late", 3).remote(t, filepath.Join(dir, lineage+".journal"))
		k.keep(good(t, ask(t, dir, k.q)), true)
	}
	k.readAll(dir)
	k.once(map[string]int{"system": 3, "system-late": 3, "user-1-late": 3, "user-2-late": 3})
}

// What came after a first reading that was perhaps kept was promised, however long ago that was.
func TestACrashAtTheFirstReading(t *testing.T) {
	for name, since := range map[string]time.Duration{"now": 0, "an hour": time.Hour, "all": report.SinceAll} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			journal := filepath.Join(dir, "system.journal")
			x := newExport().lines("old", 5)
			x.remote(t, journal)
			k := newKeeper(t)
			k.q.Since, k.q.Now = since, noon().Add(30*time.Minute)
			k.keep(good(t, ask(t, dir, k.q)), true)
			x.at = noon().Add(time.Hour)
			x.lines("missed", 5).remote(t, journal)
			k.q.Now = noon().Add(72 * time.Hour)
			k.readAll(dir)
			want := map[string]int{"missed": 5, "old": 5}
			if since == 0 {
				delete(want, "old")
			}
			k.once(want)
			if len(k.gaps) > 0 {
				t.Errorf("gaps: %+v", k.gaps)
			}
		})
	}
}

// If the journal is another by then, nobody knows what came in the first.
func TestACrashAtTheFirstReadingOfAJournalThatIsRemoved(t *testing.T) {
	dir := folder(t)
	journal := filepath.Join(dir, "system.journal")
	newExport().lines("old", 5).remote(t, journal)
	k := newKeeper(t)
	k.q.Since, k.q.Now = 0, noon().Add(time.Hour)
	k.keep(good(t, ask(t, dir, k.q)), true)
	begun := k.q.Begun.Number
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	x := newExport()
	x.at = noon().Add(2 * time.Hour)
	x.lines("new", 5).remote(t, journal)
	k.q.Now = noon().Add(3 * time.Hour)
	k.readAll(dir)
	k.once(map[string]int{"new": 5})
	if len(k.gaps) != 1 || k.gaps[0].Epoch != begun || k.gaps[0].First != 1 || k.gaps[0].Last != 0 {
		t.Errorf("the first epoch is %d; gaps: %+v", begun, k.gaps)
	}
}
