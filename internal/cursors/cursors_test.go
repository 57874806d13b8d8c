package cursors_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/internal/cursors"
	"muster/internal/report"
)

// clock is a clock that a test sets.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func open(t *testing.T, m *table, c *clock) *cursors.Cursors {
	t.Helper()
	made, err := cursors.New(t.Context(), m, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// answer is what a channel brings that was read up to a record.
func answer(channel string, epoch, record int64) report.Logs {
	return report.Logs{Channel: channel, Epoch: epoch, Next: report.Cursor{Epoch: epoch, Record: record, Position: fmt.Sprint("at ", record)}}
}

// begin has channels of a host begin as such that were never read.
func begin(t *testing.T, c *cursors.Cursors, host string, channels ...string) {
	t.Helper()
	if _, err := c.TakeUp(host, channels, nil); err != nil {
		t.Fatal(err)
	}
}

func keep(t *testing.T, c *cursors.Cursors, host string, answers ...report.Logs) {
	t.Helper()
	if err := c.Reserve(t.Context(), host, answers); err != nil {
		t.Fatal(err)
	}
	if err := c.Move(t.Context(), host, answers); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsGoOnWhereTheAnswersEnded(t *testing.T) {
	m, c := newTable(), &clock{noon}
	first := open(t, m, c)
	wanted := []report.LogRequest{{Channel: "Security", Raw: true, Since: time.Hour}, {Channel: "System", Messages: true}}
	begin(t, first, "web1", "Security", "System")
	got := first.Requests("web1", wanted)
	want := []report.LogRequest{
		{Channel: "Security", Raw: true, Since: time.Hour, Fresh: noon.Unix()}, {Channel: "System", Messages: true, Fresh: noon.Unix()},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the first requests are\n%+v, want\n%+v", got, want)
	}
	if wanted[0].Fresh != 0 {
		t.Error("what is wanted was changed")
	}
	begun := answer("Security", noon.Unix(), 9)
	begun.Begun = "id 1"
	if err := first.Reserve(t.Context(), "web1", []report.Logs{begun}); err != nil {
		t.Fatal(err)
	}
	want[0].Begun, want[0].Fresh = report.Epoch{Number: noon.Unix(), Identity: "id 1"}, noon.Unix()+1
	for name, of := range map[string]*cursors.Cursors{"this process": first, "the next": open(t, m, c)} {
		if got := of.Requests("web1", wanted); !reflect.DeepEqual(got, want) {
			t.Errorf("with a reserved epoch those of %s are\n%+v, want\n%+v", name, got, want)
		}
	}
	keep(t, first, "web1", begun)
	want[0].Begun, want[0].Cursor = report.Epoch{}, begun.Next
	c.Time = noon.Add(-time.Hour) // the clock goes back
	want[1].Fresh = c.Unix()
	for name, of := range map[string]*cursors.Cursors{"this process": first, "the next": open(t, m, c)} {
		if got := of.Requests("web1", wanted); !reflect.DeepEqual(got, want) {
			t.Errorf("after the move those of %s are\n%+v, want\n%+v", name, got, want)
		}
		if got := of.Requests("web2", wanted); len(got) != 0 {
			t.Errorf("of a host of which nobody knows it asks for %+v", got)
		}
	}
}

// TestOnlyWhatChangesIsWritten: a write is a sync.
func TestOnlyWhatChangesIsWritten(t *testing.T) {
	m := newTable()
	c := open(t, m, &clock{noon})
	slow := answer("x", 5, 9)
	slow.Trouble, slow.More = &report.Trouble{Kind: report.TroubleSlow, Text: "after 1.1 s"}, true
	slower := slow
	slower.Trouble = &report.Trouble{Kind: report.TroubleSlow, Text: "after 1.2 s"}
	for i, step := range []struct {
		answer report.Logs
		writes int
	}{{answer("x", 5, 9), 1}, {answer("x", 5, 9), 0}, {answer("x", 5, 10), 1}, {slow, 1}, {slower, 0}, {answer("x", 5, 9), 1}} {
		before := m.writes
		keep(t, c, "h", step.answer)
		if n := m.writes - before; n != step.writes {
			t.Errorf("step %d writes %d times, want %d", i, n, step.writes)
		}
	}
}

// TestATableThatFails stops the reservation of an epoch, and not a cursor.
func TestATableThatFails(t *testing.T) {
	m := newTable()
	c := open(t, m, &clock{noon})
	wanted := []report.LogRequest{{Channel: "x"}}
	begin(t, c, "h", "x")
	begun := answer("x", noon.Unix(), 9)
	begun.Begun = "id"
	m.fails = 1
	if err := c.Reserve(t.Context(), "h", []report.Logs{begun}); err == nil {
		t.Fatal("the epoch is reserved on a disk that is full")
	}
	if got := c.Requests("h", wanted)[0]; got.Begun.Number != 0 {
		t.Errorf("the request says %+v", got)
	}
	keep(t, c, "h", begun)
	m.fails = 1
	if err := c.Move(t.Context(), "h", []report.Logs{answer("x", noon.Unix(), 10)}); err == nil {
		t.Fatal("the cursor is moved on a disk that is full")
	}
	if got := c.Requests("h", wanted)[0].Cursor.Record; got != 10 {
		t.Errorf("the next reading begins after %d", got)
	}
	m.fails = 1
	if err := c.Reserve(t.Context(), "h", []report.Logs{answer("x", noon.Unix(), 11)}); err == nil {
		t.Error("more may be kept while the cursor before it is not on disk")
	}
	before := m.writes
	keep(t, c, "h", answer("x", noon.Unix(), 10)) // nothing has changed, but it is not on disk
	if m.writes != before+1 {
		t.Error("what could not be written is not written later")
	}
	if got := open(t, m, &clock{noon}).Requests("h", wanted)[0].Cursor.Record; got != 10 {
		t.Errorf("after a restart the next reading begins after %d", got)
	}
}

// TestAChannelThatCantBeReadStaysWhereItIs has an answer without a word on where to go on.
func TestAChannelThatCantBeReadStaysWhereItIs(t *testing.T) {
	c := open(t, newTable(), &clock{noon})
	keep(t, c, "h", answer("x", 5, 9))
	keep(t, c, "h", report.Logs{Channel: "x", Trouble: &report.Trouble{Kind: report.TroubleDenied, Text: "no"}})
	if got := c.Requests("h", []report.LogRequest{{Channel: "x"}})[0].Cursor; got != answer("x", 5, 9).Next {
		t.Errorf("the next reading begins at %+v", got)
	}
}

func TestTheLastNumberOfAllIsRefused(t *testing.T) {
	c := open(t, newTable(), &clock{noon})
	last := answer("journal", math.MaxInt64, 1)
	last.Begun = "x"
	if err := c.Reserve(t.Context(), "h", []report.Logs{last}); err == nil {
		t.Error("after it no epoch could begin")
	}
	keep(t, c, "h", answer("journal", math.MaxInt64-1, 1))
	if got := c.Requests("h", []report.LogRequest{{Channel: "journal"}})[0]; got.Fresh != math.MaxInt64 {
		t.Errorf("the request says %+v", got)
	}
}

func TestConcerns(t *testing.T) {
	m, at := newTable(), &clock{noon}
	c := open(t, m, at)
	behind := answer("b", 5, 9)
	behind.More, behind.Records = true, []report.Record{{ID: 9, Time: noon.Add(-time.Hour)}}
	denied := report.Logs{Channel: "a", Trouble: &report.Trouble{Kind: report.TroubleDenied, Text: "access\x1b is denied"}}
	keep(t, c, "h2", behind, denied, answer("well", 5, 1))
	keep(t, c, "h1", behind)
	at.Time = noon.Add(time.Minute)
	keep(t, c, "h2", behind, denied)
	want := []cursors.Concern{
		{Host: "h1", Channel: "b", Behind: noon, Newest: noon.Add(-time.Hour)},
		{Host: "h2", Channel: "a", Trouble: report.TroubleDenied, Text: `access\x1b is denied`, Since: noon},
		{Host: "h2", Channel: "b", Behind: noon, Newest: noon.Add(-time.Hour)},
	}
	for name, of := range map[string]*cursors.Cursors{"this process": c, "the next": open(t, m, at)} {
		if got := of.Concerns(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is concerned about\n%+v, want\n%+v", name, got, want)
		}
	}
	if got := c.Known("h2"); got["a"].Trouble != report.TroubleDenied || got["b"].Epoch != 5 || got["well"].Trouble != "" {
		t.Errorf("it knows %+v", got)
	}
	// A channel that is in trouble is still behind; one that is read to its end is not.
	behind.Trouble, behind.More = denied.Trouble, false
	keep(t, c, "h1", behind)
	keep(t, c, "h2", answer("b", 5, 10), answer("a", 5, 1))
	if got := c.Concerns(); len(got) != 1 || got[0].Behind != noon || got[0].Trouble == "" {
		t.Errorf("it is concerned about %+v", got)
	}
	if err := c.Adopt(t.Context(), nil); err != nil || len(c.Concerns()) != 0 {
		t.Errorf("it is concerned about what is not configured: %v, %+v", err, c.Concerns())
	}
}

// TestChannelsThatAreGoneAreKeptForAMonth has one taken out of the configuration by accident, and one for good.
func TestChannelsThatAreGoneAreKeptForAMonth(t *testing.T) {
	m, at := newTable(), &clock{noon}
	c := open(t, m, at)
	keep(t, c, "h1", answer("a", 5, 1), answer("b", 5, 2))
	keep(t, c, "h2", answer("a", 5, 3))
	record := func(host, channel string) int64 {
		for _, r := range c.Requests(host, []report.LogRequest{{Channel: channel}}) {
			return r.Cursor.Record
		}
		return 0
	}
	adopt := func(configured map[string][]string) {
		t.Helper()
		if err := c.Adopt(t.Context(), configured); err != nil {
			t.Fatal(err)
		}
		c = open(t, m, at)
	}
	all := map[string][]string{"h1": {"a", "b"}, "h2": {"a"}}
	some := map[string][]string{"h1": {"a"}}
	adopt(all)
	adopt(some)
	at.Time = at.Add(29 * 24 * time.Hour)
	adopt(some)
	adopt(all) // it was an accident
	at.Time = at.Add(29 * 24 * time.Hour)
	adopt(some)
	if record("h1", "a") != 1 || record("h1", "b") != 2 || record("h2", "a") != 3 {
		t.Error("a cursor is lost too early")
	}
	at.Time = at.Add(31 * 24 * time.Hour)
	adopt(some)
	if record("h1", "a") != 1 || record("h1", "b") != 0 || record("h2", "a") != 0 {
		t.Error("a cursor is kept too long, or lost")
	}
	if len(m.content) != 1 {
		t.Errorf("the table has %d hosts", len(m.content))
	}
	before := m.writes
	adopt(some)
	if m.writes != before {
		t.Error("it writes though nothing has changed")
	}
	m.fails = 1
	if err := c.Adopt(t.Context(), nil); err == nil {
		t.Error("a table that fails is not told of")
	}
}

func TestATableThatCantBeRead(t *testing.T) {
	for name, change := range map[string]func(m *table){
		"no JSON": func(m *table) {
			for key := range m.content {
				m.content[key] = []byte("{")
			}
		},
		"another's": func(m *table) {
			for key := range m.content {
				m.content[strings.Repeat("0", len(key))] = m.content[key]
			}
		},
	} {
		m := newTable()
		keep(t, open(t, m, &clock{noon}), "h", answer("x", 5, 1))
		change(m)
		if _, err := cursors.New(t.Context(), m, nil); err == nil {
			t.Errorf("%s: it is read all the same", name)
		}
	}
}
