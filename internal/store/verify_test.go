package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verify returns what was found wrong, by check, and how many checks there were.
func verify(t *testing.T, s *Store) (problems map[string]int64, checks int) {
	t.Helper()
	problems = make(map[string]int64)
	err := s.Verify(t.Context(), func(c Check) {
		checks++
		if (c.Problems > 0) != (c.Advice != "") {
			t.Errorf("%d problems, and the advice is %q", c.Problems, c.Advice)
		}
		if c.Problems > 0 {
			problems[c.Name] = c.Problems
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return problems, checks
}

func testVerify(t *testing.T, x *target) {
	s := x.open(t)
	skipped := broken("never", noon())
	skipped.Skipped = true
	save(t, s, append(fleet(noon(), 3, 4), skipped)...)
	save(t, s, fleet(noon().Add(time.Minute), 3, 4)...)
	for i := range int64(3) {
		saveLogs(t, s, part("host0000", "journal", noon(), 10*i+1, 10, lineRecord))
	}
	want := 8
	if x.server == nil {
		want++
	}
	if problems, checks := verify(t, s); len(problems) > 0 || checks != want {
		t.Fatalf("of a sound database: %v in %d checks", problems, checks)
	}
	for _, c := range []struct {
		name, spoil string
		problems    int64
	}{
		{"every statistic has its series", "DELETE FROM series WHERE host = 'host0000' AND name = 'stat.1'", 2},
		{"every series has the id of its name", "UPDATE series SET instance = '/' WHERE host = 'host0001'", 4},
		{"every visit has its host", "DELETE FROM hosts WHERE name = 'host0002'", 2},
		{"every statistic has its sweep", "DELETE FROM sweeps WHERE sweep_time = " + encode(noon().UnixMilli()), 12},
		{"no log record is beyond the cursor of its channel", "UPDATE cursors SET record_id = 29", 1},
		{"log_sequence is beyond every log record and gap", "UPDATE log_sequence SET last = 21", 10},
	} {
		if err := s.db.Exec(c.spoil).Error; err != nil {
			t.Fatal(err)
		}
		problems, _ := verify(t, s)
		if problems[c.name] != c.problems {
			t.Errorf("%s: %v", c.spoil, problems)
		}
	}
	if problems, _ := verify(t, s); problems["every visit has its sweep"] != 4 || len(problems) != 7 {
		t.Errorf("the problems are %v", problems)
	}
}

func testAsIs(t *testing.T, x *target) {
	o := x.fresh(t)
	o.AsIs = true
	s, err := Open(t.Context(), o)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, ErrMissing) || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "muster run") {
		t.Errorf("a database that is not there: %v", err)
	}
	o.AsIs = false
	made := openStore(t, o)
	version := made.Version()
	if version.Before != 0 || version.Now < 1 || version.Now != version.Program {
		t.Errorf("the version of a new database is %+v", version)
	}
	save(t, made, fleet(noon(), 1, 1)...)
	o.AsIs = true
	if got := openStore(t, o).Version(); got != (Version{version.Now, version.Now, version.Program}) {
		t.Errorf("opened as it is: %+v", got)
	}
	o.AsIs = false
	if got := openStore(t, o).Version(); got != (Version{version.Now, version.Now, version.Program}) {
		t.Errorf("opened again: %+v", got)
	}

	// Of an older and of a newer program.
	if err := made.db.Exec("DELETE FROM goose_db_version WHERE version_id > 0").Error; err != nil {
		t.Fatal(err)
	}
	o.AsIs = true
	older := openStore(t, o)
	if got := older.Version(); got != (Version{0, 0, version.Program}) {
		t.Errorf("the version of an older database is %+v", got)
	}
	if problems, checks := verify(t, older); problems[versionCheck] != 1 || len(problems) != 1 || checks > 2 {
		t.Errorf("of an older database: %v in %d checks", problems, checks)
	}
	if err := made.db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)").Error; err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer database: %v", err)
	}

	// Without any table none is made.
	if err := made.db.Exec("DROP TABLE goose_db_version").Error; err != nil {
		t.Fatal(err)
	}
	if got := openStore(t, o).Version(); got != (Version{0, 0, version.Program}) {
		t.Errorf("the version of an empty database is %+v", got)
	}
	if err := made.db.Exec("SELECT 1 FROM goose_db_version").Error; err == nil {
		t.Error("the table of versions was made")
	}
}

// TestVerifyDamagedFile overwrites pages of the file.
func TestVerifyDamagedFile(t *testing.T) {
	x := &target{}
	o := x.fresh(t)
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, fleet(noon(), 50, 40)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(o.URL, "sqlite:")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte){
		"the middle": func(b []byte) { clear(b[len(b)/2 : len(b)/2+8192]) },
		"the end":    func(b []byte) { copy(b[len(b)-4096:], strings.Repeat("damage ", 500)) },
	} {
		damaged := append([]byte(nil), content...)
		spoil(damaged)
		o.URL, o.AsIs = "sqlite:"+filepath.Join(t.TempDir(), "damaged.db"), true
		if err := os.WriteFile(strings.TrimPrefix(o.URL, "sqlite:"), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		problems, checks := verify(t, openStore(t, o))
		if problems[fileCheck] == 0 || checks != 1 {
			t.Errorf("%s: %v in %d checks", name, problems, checks)
		}
	}
}
