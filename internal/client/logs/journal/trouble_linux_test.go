package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/internal/client/logs"
	"muster/internal/report"
	"muster/internal/testserver"
)

// expect fails unless an answer has trouble of a kind that says so.
func expect(t *testing.T, answer report.Logs, kind report.TroubleKind, words ...string) {
	t.Helper()
	if answer.Trouble == nil || answer.Trouble.Kind != kind {
		t.Fatalf("trouble %+v is not %s", answer.Trouble, kind)
	}
	for _, word := range words {
		if !strings.Contains(answer.Trouble.Text, word) {
			t.Errorf("%q is not in %q", word, answer.Trouble.Text)
		}
	}
}

func TestNoJournalctl(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 1).remote(t, filepath.Join(dir, "system.journal"))
	t.Setenv("PATH", t.TempDir())
	if _, err := os.Stat("/usr/bin/journalctl"); err != nil {
		expect(t, askWith(t.Context(), t, Options{}, all()), report.TroubleAbsent, "no journalctl")
	}
	o := Options{Folders: []string{dir}, Program: filepath.Join(dir, "nothing")}
	expect(t, askWith(t.Context(), t, o, all()), report.TroubleAbsent, "nothing")
}

func TestNoJournal(t *testing.T) {
	dir := folder(t)
	for folder, words := range map[string]string{filepath.Join(dir, "none"): "no journal of systemd", dir: "no files yet"} {
		q := all()
		answer := ask(t, folder, q)
		expect(t, answer, report.TroubleAbsent, words)
		if answer.Next != q.Cursor {
			t.Errorf("%+v", answer)
		}
	}
}

// As an ordinary user, which root becomes for this thread and what it reads.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func TestJournalThatMayNotBeRead(t *testing.T) {
	dir := folder(t)
	x := newExport()
	x.lines("secret", 3).remote(t, filepath.Join(dir, "system.journal"))
	x.lines("mine", 3).remote(t, filepath.Join(dir, "user-1.journal"))
	for path, mode := range map[string]os.FileMode{dir: 0o755, dir + "/system.journal": 0, dir + "/user-1.journal": 0o644, filepath.Dir(dir): 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	k := newKeeper(t)
	k.q.Since = 2 * time.Hour
	unprivileged(t, func() {
		answer := ask(t, dir, k.q)
		expect(t, answer, report.TroubleDenied, dir+"/system.journal", "systemd-journal", "adm")
		k.keep(answer, false)
		k.once(map[string]int{"mine": 3})
		if again := ask(t, dir, k.q); len(again.Records) > 0 || len(again.Gaps) > 0 {
			t.Errorf("%+v", again)
		}
	})
	if os.Geteuid() != 0 {
		return
	}
	good(t, k.readAll(dir)) // the account may read it one day
	k.once(map[string]int{"mine": 3, "secret": 3})
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() { expect(t, ask(t, dir, all()), report.TroubleDenied, dir) })
}

// A journalctl that does not answer is killed, with what it started, and what it did is what can be known.
func TestJournalctlThatHangs(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 3).remote(t, filepath.Join(dir, "system.journal"))
	ids := filepath.Join(t.TempDir(), "ids")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if text, _ := os.ReadFile(ids); strings.Count(string(text), "\n") == 2 {
				cancel()
			}
		}
	}()
	o := Options{Folders: []string{dir}, Program: script(t, `sleep 1000 & echo "$!" >`+ids+`; echo $$ >>`+ids+`; wait`)}
	q := all()
	answer := askWith(ctx, t, o, q)
	expect(t, answer, report.TroubleSlow)
	if !answer.More || answer.Next.Record != 0 {
		t.Errorf("%+v", answer)
	}
	text, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(string(text)) {
		if state := processState(id); state != "" && state != "Z" {
			t.Errorf("process %s still runs: %s", id, state)
		}
	}
}

// processState returns the state of a process, empty where there is none: proc(5).
func processState(id string) string {
	for end := time.Now().Add(5 * time.Second); ; {
		text, err := os.ReadFile("/proc/" + id + "/stat")
		if err != nil {
			return ""
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if state, _, _ := strings.Cut(rest, " "); state == "Z" || time.Now().After(end) {
			return state
		}
		runtime.Gosched()
	}
}

func TestJournalctlThatTalksNonsense(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 3).remote(t, filepath.Join(dir, "system.journal"))
	known := "__CURSOR=s=" + look([]string{dir}).streams[0].id + ";i=1\\n__REALTIME_TIMESTAMP=5\\nMESSAGE=good\\n\\n"
	for name, c := range map[string]struct {
		script  string
		words   string
		records int
	}{
		"garbage":                   {`head -c 100000 /dev/zero | tr '\0' 'x'`, "export format", 0},
		"a text":                    {`echo 'Journal not available'`, "export format", 0},
		"a length beyond measure":   {`printf 'MESSAGE\n\377\377\377\377\377\377\377\377xyz'`, "unexpected EOF", 0},
		"an entry of nowhere":       {`printf 'MESSAGE=a\n\n'`, "where in the journal", 0},
		"an error":                  {`echo Invalid argument >&2; exit 3`, `exit status 3: it said "Invalid argument"`, 0},
		"an error without end":      {`head -c 100000 /dev/zero | tr '\0' 'x' >&2; exit 3`, "xxxx", 0},
		"good, and then an error":   {`printf '` + known + `'; echo oh >&2; exit 3`, `"oh"`, 1},
		"good, and then a half":     {`printf '` + known + `__CURSOR=s='`, "unexpected EOF", 1},
		"good, and then killed":     {`printf '` + known + `'; kill -9 $$`, "killed", 1},
		"good, and then another":    {`printf '` + known + `__CURSOR=s=0;i=7\n__REALTIME_TIMESTAMP=5\n\n'`, "journald began new files", 0},
		"nothing, but there is all": {`exit 0`, "damaged", 0},
	} {
		t.Run(name, func(t *testing.T) {
			answer := askWith(t.Context(), t, Options{Folders: []string{dir}, Program: script(t, c.script)}, all())
			expect(t, answer, report.TroubleFailed, c.words)
			if len(answer.Trouble.Text) > 1000 {
				t.Errorf("%d bytes", len(answer.Trouble.Text))
			}
			if len(answer.Records) != c.records || answer.Next.Record != int64(c.records) {
				t.Errorf("%d records, next %+v", len(answer.Records), answer.Next)
			}
		})
	}
}

// Journald begins a new file between the look at the headers and journalctl's: what was in the old one is not lost.
func TestRotationInTheCourseOfAReading(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	path := filepath.Join(dir, "system.journal")
	x := newExport()
	x.lines("a", 10).remote(t, path)
	f, err := readHeader(path)
	if err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(dir, "system@1.journal")
	next := filepath.Join(t.TempDir(), "system.journal")
	x.lines("b", 10).remote(t, next)
	o := Options{Folders: []string{dir}, Program: script(t, fmt.Sprintf(
		`[ -e %[2]s ] || { mv %[1]s %[2]s; mv %[3]s %[1]s; }; exec /usr/bin/env journalctl "$@"`, f.path, away, next))}
	for more := true; more; {
		answer := good(t, askWith(t.Context(), t, o, k.q))
		k.keep(answer, false)
		more = answer.More
	}
	k.once(map[string]int{"a": 10, "b": 10})
	if len(k.gaps) > 0 {
		t.Errorf("%+v", k.gaps)
	}
}

// Nothing is asked of journalctl that systemd 219 does not know, and nothing of the account's environment reaches it.
func TestWhatJournalctlIsAskedFor(t *testing.T) {
	t.Setenv("SYSTEMD_LOG_LEVEL", "debug")
	dir := folder(t)
	x := newExport()
	x.lines("a", 10).remote(t, filepath.Join(dir, "system.journal"))
	out := filepath.Join(t.TempDir(), "arguments")
	o := Options{Folders: []string{dir}, Program: script(t, `for a; do echo "$a"; done >>`+out+`; env >>`+out+`; exec /usr/bin/env journalctl "$@"`)}
	q := all()
	q.Since = 2 * time.Hour
	q.Filter.Levels = []report.Level{report.Error, report.Debug}
	first := good(t, askWith(t.Context(), t, o, q))
	x.lines("b", 10).remote(t, filepath.Join(dir, "system.journal"))
	good(t, askWith(t.Context(), t, o, on(q, first)))
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`^(--quiet|--no-pager|--output=export|--since=@\d+|--cursor=s=[0-9a-f]{32};i=[0-9a-f]+|--file=/.*|PRIORITY=[0-7]|` +
		`LC_ALL=C|TZ=UTC|PATH=/usr/bin:/bin|PWD=/|SHLVL=0|_=.*|OLDPWD=.*)$`)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		if !allowed.MatchString(line) {
			t.Errorf("%q", line)
		}
	}
	if !slices.Contains(lines, "PRIORITY=3") || !slices.Contains(lines, "PRIORITY=7") || slices.Contains(lines, "PRIORITY=4") {
		t.Errorf("%q", lines)
	}
}

func TestMachineOfTheJournal(t *testing.T) {
	if !Source().Takes("journal") || Source().Takes("journal2") || Source().Takes("file:/journal") {
		t.Error("it takes other channels")
	}
	// Whatever this machine has: it answers.
	q := all()
	q.Records, q.Bytes = 10, 10_000
	answer := askWith(t.Context(), t, Options{}, q)
	t.Logf("%d records, trouble %+v", len(answer.Records), answer.Trouble)
	if id := machineID(); id != "" && !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(id) {
		t.Errorf("%q", id)
	}
}

var _ logs.Reader = Reader(Options{})

// The new file goes on with the old one's numbers: only its identity tells that it is another.
func TestRotationWithinANumbering(t *testing.T) {
	from, dir, k := folder(t), folder(t), newKeeper(t)
	list := rotated(t, from, 6)[:2]
	path, away := filepath.Join(dir, "system.journal"), filepath.Join(dir, "system@1.journal")
	if err := os.Rename(list[0].path, path); err != nil {
		t.Fatal(err)
	}
	o := Options{Folders: []string{dir}, Program: script(t, fmt.Sprintf(
		`[ -e %[2]s ] || { mv %[1]s %[2]s; mv '%[3]s' %[1]s; }; exec /usr/bin/env journalctl "$@"`, path, away, list[1].path))}
	answer := good(t, askWith(t.Context(), t, o, k.q))
	if want := int(list[1].tail - list[0].head + 1); len(answer.Records) != want || len(answer.Gaps) > 0 || answer.More {
		t.Errorf("%d records, not %d: gaps %+v", len(answer.Records), want, answer.Gaps)
	}
}

// What is written while it is read is for the next reading: so one ends whoever writes.
func TestWriterWhoNeverStops(t *testing.T) {
	dir, k := folder(t), newKeeper(t)
	path := filepath.Join(dir, "system.journal")
	x := newExport()
	x.lines("a", 10).remote(t, path)
	more := filepath.Join(t.TempDir(), "more")
	if err := os.WriteFile(more, x.lines("b", 10).Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	remote := testserver.Need(t, "systemd-journal-remote", "systemd-journal-remote")
	o := Options{Folders: []string{dir}, Program: script(t, fmt.Sprintf(
		`[ ! -e %[1]s ] || { %[2]s --output=%[3]s %[1]s 2>&1; rm %[1]s; } >/dev/null; exec /usr/bin/env journalctl "$@"`, more, remote, path))}
	first := good(t, askWith(t.Context(), t, o, k.q))
	if len(first.Records) != 10 || first.Next.Record != 10 {
		t.Errorf("%d records, next %+v", len(first.Records), first.Next)
	}
	k.keep(first, false)
	k.readAll(dir)
	k.once(map[string]int{"a": 10, "b": 10})
}

// A client that root runs, by a sudo that leaves PATH to the user, runs the system's journalctl and not the user's.
func TestTheSystemsJournalctlComesFirst(t *testing.T) {
	folder := t.TempDir()
	own := filepath.Join(folder, "journalctl")
	if err := os.WriteFile(own, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	want := own
	for _, path := range []string{"/bin/journalctl", "/usr/bin/journalctl"} {
		if _, err := os.Stat(path); err == nil {
			want = path
		}
	}
	if got := find(); got != want {
		t.Errorf("it runs %s, want %s", got, want)
	}
}
