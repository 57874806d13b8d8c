package wintest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/cli"
)

// TestMain makes the server of this program where it is started as one: so it can be killed.
func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		os.Exit(cli.Main(os.Args[1:], cli.Env{Stdout: os.Stdout, Stderr: os.Stderr, Version: "0.0.0-test"}))
	}
	os.Exit(m.Run())
}

const serverVariable = "WINTEST_MUSTER"

var (
	eventForm    = regexp.MustCompile(`(?s)<Event xmlns=.*?</Event>`)
	recordIDForm = regexp.MustCompile(`<EventRecordID>\d+</EventRecordID>`)
)

// securityEvents returns 200 events of the channel Security with the record ids from 1 on: real ones, where they are at hand
// beside the project, and otherwise such as an administrator of Windows would know. One in the midst says that the log was cleared.
func securityEvents(t *testing.T) (events []string, cleared int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "windows-events", "security.xml"))
	switch {
	case err == nil:
		events = eventForm.FindAllString(string(text), -1)
	case errors.Is(err, fs.ErrNotExist):
		events = madeEvents()
	default:
		t.Fatal(err)
	}
	if len(events) != 200 {
		t.Fatalf("%d events", len(events))
	}
	const midst = 120
	first := slices.IndexFunc(events, func(e string) bool { return strings.Contains(e, ">1102</EventID>") })
	if first < 0 {
		t.Fatal("no event says that the log was cleared")
	}
	events[first], events[midst] = events[midst], events[first]
	for i := range events {
		events[i] = recordIDForm.ReplaceAllString(events[i], "<EventRecordID>"+strconv.Itoa(i+1)+"</EventRecordID>")
	}
	return events, midst
}

// madeEvents are events as EvtRender prints them: with CR LF in texts, characters beyond ASCII, references, UserData, and a
// long one.
func madeEvents() []string {
	const form = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='%s'/><EventID>%d</EventID>` +
		`<Version>0</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode><Keywords>%s</Keywords>` +
		`<TimeCreated SystemTime='2026-03-01T11:%02d:%02d.%07dZ'/><EventRecordID>0</EventRecordID><Correlation/>` +
		`<Execution ProcessID='%d' ThreadID='4'/><Channel>Security</Channel><Computer>win1</Computer><Security/></System>%s</Event>`
	var events []string
	for i := range 200 {
		provider, id, keywords := "Microsoft-Windows-Security-Auditing", 4624+i%2, "0x8020000000000000"
		data := fmt.Sprintf(`<EventData><Data Name='TargetUserName'>Jörg %d</Data><Data Name='LogonType'>%d</Data><Data>a &lt; b &amp; c`+"\r\n\t"+
			`𝄞</Data><Data Name='Empty'></Data></EventData>`, i, i%12)
		switch {
		case i == 60:
			provider, id = "Microsoft-Windows-Eventlog", 1102
			data = `<UserData><LogFileCleared xmlns='http://manifests.microsoft.com/win/2004/08/windows/eventlog'>` +
				`<SubjectUserName>admin</SubjectUserName></LogFileCleared></UserData>`
		case i%50 == 7:
			data = `<EventData><Data Name='Long'>` + strings.Repeat("lang &amp; länger ", 600) + `</Data></EventData>`
		}
		events = append(events, fmt.Sprintf(form, provider, id, keywords, i/60, i%60, i, 100+i, data))
	}
	return events
}

// fleet is a configuration with one Windows host, whose channel Security is brought home.
type fleet struct {
	folder, config string
}

func newFleet(t *testing.T, w *windows) *fleet {
	t.Helper()
	f := &fleet{folder: t.TempDir()}
	f.config = filepath.Join(f.folder, "muster.xml")
	text := fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/><database url="sqlite:%s"/>
<group name="windows" port="%d" known-hosts="%s" user="%s" key="%s"><logs channel="Security" since="all"/>
<host name="win1" address="127.0.0.1"/></group></muster>`,
		filepath.Join(f.folder, "muster.db"), w.port, w.knownHosts, w.newHost(t).user, w.keyFile)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// visit visits the host once, in a process of its own, which is killed after a time if that is not 0. It returns whether it
// ended by itself.
func (f *fleet) visit(t *testing.T, kill time.Duration) bool {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if kill > 0 {
		ctx, cancel = context.WithTimeout(ctx, kill)
	}
	defer cancel()
	command := exec.CommandContext(ctx, program, "run", "--json", "-c", f.config)
	command.Env = append(os.Environ(), serverVariable+"=1")
	output, err := command.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return err == nil
}

// line is a line of muster logs --json.
type line struct {
	Type  string
	ID    int64
	Epoch int64
	Raw   string
	First int64
	Last  *int64
}

func (f *fleet) stored(t *testing.T) (records, gaps []line) {
	t.Helper()
	status, stdout, stderr := muster(t, "logs", "--json", "--raw", "--lines", "0", "-c", f.config)
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	for decoder.More() {
		var l line
		if err := decoder.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Type == "gap" {
			gaps = append(gaps, l)
		} else {
			records = append(records, l)
		}
	}
	slices.SortFunc(records, func(a, b line) int { return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.ID, b.ID)) })
	return records, gaps
}

// wantStored checks that the database has these events, each once and byte by byte, and no gaps.
func (f *fleet) wantStored(t *testing.T, events []string) {
	t.Helper()
	records, gaps := f.stored(t)
	if len(gaps) > 0 {
		t.Errorf("gaps %+v", gaps)
	}
	if len(records) != len(events) {
		t.Fatalf("%d records are stored, of %d events", len(records), len(events))
	}
	for i, r := range records {
		if r.Raw != events[i] || r.ID != int64(i+1) || r.Epoch != records[0].Epoch {
			t.Fatalf("record %d of epoch %d:\n%q\nwas written as %d:\n%q", r.ID, r.Epoch, r.Raw, i+1, events[i])
		}
	}
}

// killed has visits that are killed at any time, until one has ended by itself.
func (f *fleet) killed(t *testing.T, times int) {
	t.Helper()
	for range times {
		f.visit(t, time.Duration(rand.IntN(2500)+1)*time.Millisecond)
	}
	if !f.visit(t, 0) {
		t.Fatal("a visit that nobody kills does not end")
	}
}

// testRecords brings home the events of a log that grows and is cleared, through SSH, client, seal, queue and database, by
// servers of which most are killed.
func testRecords(t *testing.T, w *windows) {
	events, cleared := securityEvents(t)
	f := newFleet(t, w)
	w.logs.modes(t, "batch 20")
	w.logs.write(t, "Security", events[:70])
	f.killed(t, 3)
	f.wantStored(t, events[:70])
	w.logs.write(t, "Security", events[:cleared])
	f.killed(t, 3)
	w.logs.write(t, "Security", events[cleared:cleared+10]) // cleared: the first record left is the one that says so
	f.killed(t, 2)
	f.wantStored(t, events[:cleared+10])

	// The same batch twice: the data directory, with queue and cursors, is that of before the batch was read.
	before := filepath.Join(f.folder, "before")
	copyFolder(t, filepath.Join(f.folder, "data"), before)
	w.logs.write(t, "Security", events[cleared:])
	f.killed(t, 1)
	f.wantStored(t, events)
	if err := os.RemoveAll(filepath.Join(f.folder, "data")); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, before, filepath.Join(f.folder, "data"))
	w.logs.forgetOpen(t) // of here on no visit is killed
	f.killed(t, 0)
	f.wantStored(t, events)

	testALogThatGoesTooFast(t, w, f, events)
	w.logs.modes(t)
	w.logs.wantAllClosed(t)
}

// testALogThatGoesTooFast loses records before they are read: the gap is stored. Then the host is set up anew.
func testALogThatGoesTooFast(t *testing.T, w *windows, f *fleet, events []string) {
	t.Helper()
	later := func(id int) string {
		return recordIDForm.ReplaceAllString(events[0], "<EventRecordID>"+strconv.Itoa(id)+"</EventRecordID>")
	}
	w.logs.write(t, "Security", []string{later(211), later(212)})
	f.killed(t, 0)
	records, gaps := f.stored(t)
	if len(gaps) != 1 || gaps[0].First != 201 || gaps[0].Last == nil || *gaps[0].Last != 210 || len(records) != 202 {
		t.Errorf("%d records, gaps %+v", len(records), gaps)
	}
	w.logs.write(t, "Security", events[:3])
	f.killed(t, 0)
	records, _ = f.stored(t)
	if len(records) != 205 || records[204].Epoch == records[0].Epoch || records[204].Raw != events[2] {
		t.Errorf("%d records after the log was made anew", len(records))
	}
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	same := func(name string) bool {
		a, err := os.ReadFile(filepath.Join(from, name))
		b, err2 := os.ReadFile(filepath.Join(to, name))
		return err == nil && err2 == nil && bytes.Equal(a, b)
	}
	if !same("queue.key") {
		t.Fatal("the data directory was not copied as it is")
	}
}

// testAccess has an account that may not read the log: the visit brings the statistics, and says what to do.
func testAccess(t *testing.T, w *windows) {
	f := newFleet(t, w)
	w.logs.write(t, "Security", madeEvents()[:3])
	w.logs.modes(t, "EvtQuery 5 0 0")
	defer w.logs.modes(t)
	f.visit(t, 0)
	status, stdout, stderr := muster(t, "status", "-c", f.config)
	if !strings.Contains(stdout+stderr, "Event Log Readers") {
		t.Errorf("exit status %d, and nothing of the group:\n%s\n%s", status, stdout, stderr)
	}
}
