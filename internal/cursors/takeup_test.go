package cursors_test

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/cursors"
	"muster/internal/report"
)

func requestsOf(c *cursors.Cursors, host string, channels ...string) []report.LogRequest {
	var wanted []report.LogRequest
	for _, channel := range channels {
		wanted = append(wanted, report.LogRequest{Channel: channel})
	}
	return c.Requests(host, wanted)
}

func TestNothingIsAskedOfAChannelThatNobodyKnows(t *testing.T) {
	m, at := newTable(), &clock{noon}
	c := open(t, m, at)
	keep(t, c, "h", answer("known", 5, 9))
	for name, of := range map[string]*cursors.Cursors{"this process": c, "the next": open(t, m, at)} {
		if got := of.Unknown("h", []string{"a", "known", "b"}); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s does not know %q", name, got)
		}
		if got := of.Unknown("other", []string{"known"}); len(got) != 1 {
			t.Errorf("%s knows %q of another host", name, got)
		}
		if got := requestsOf(of, "h", "a", "known", "b"); len(got) != 1 || got[0].Channel != "known" || got[0].Cursor.Record != 9 {
			t.Errorf("%s asks for %+v", name, got)
		}
	}
}

// TestACopyIsTakenUp has a copy of some cursors, whose numbers are ahead of the clock, and of one that is behind.
func TestACopyIsTakenUp(t *testing.T) {
	m, at := newTable(), &clock{noon}
	c := open(t, m, at)
	keep(t, c, "h", answer("known", 5, 9))
	begun := answer("begun", noon.Unix(), 1)
	begun.Begun = "id"
	if err := c.Reserve(t.Context(), "h", []report.Logs{begun}); err != nil { // and killed
		t.Fatal(err)
	}
	ahead := noon.Add(time.Hour).Unix()
	copied := map[string]report.Cursor{
		"known": answer("", 5, 7).Next, "begun": answer("", 3, 7).Next, "lost": answer("", ahead, 7).Next,
		"unwanted": answer("", 5, 7).Next,
	}
	before := m.writes
	if n, err := c.TakeUp("h", []string{"known", "begun", "lost", "never read"}, copied); n != 1 || err != nil {
		t.Fatalf("TakeUp: %d, %v", n, err)
	}
	later := map[string]report.Cursor{"lost": answer("", 1, 1).Next, "never read": answer("", 1, 1).Next}
	if n, err := c.TakeUp("h", []string{"lost", "never read"}, later); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
	if m.writes != before {
		t.Error("it writes: a fleet would cost a sync a host")
	}
	want := []report.LogRequest{
		{Channel: "known", Cursor: answer("", 5, 9).Next, Fresh: noon.Unix()},
		{Channel: "begun", Begun: report.Epoch{Number: noon.Unix(), Identity: "id"}, Fresh: noon.Unix() + 1},
		{Channel: "lost", Cursor: copied["lost"], Fresh: ahead + 1},
		{Channel: "never read", Fresh: noon.Unix()},
	}
	asked := requestsOf(c, "h", "known", "begun", "lost", "never read", "unwanted")
	if len(asked) != len(want) {
		t.Fatalf("it asks for %+v", asked)
	}
	for i := range want {
		if !reflect.DeepEqual(asked[i], want[i]) {
			t.Errorf("it asks for %+v\nwant        %+v", asked[i], want[i])
		}
	}
	if got := open(t, m, at).Unknown("h", []string{"known", "begun", "lost", "never read"}); len(got) != 2 {
		t.Errorf("a process that was killed before anything was read leaves %q unknown", got)
	}

	// A reading that brings nothing makes it known for good; and is a write once.
	quiet := report.Logs{Channel: "never read"}
	m.fails = 1
	if err := c.Move(t.Context(), "h", []report.Logs{quiet}); err == nil {
		t.Fatal("it is known for good on a disk that is full")
	}
	keep(t, c, "h", quiet)
	before = m.writes
	keep(t, c, "h", quiet)
	if m.writes != before {
		t.Error("it writes though nothing has changed")
	}
	next := open(t, m, at)
	if got := next.Unknown("h", []string{"lost", "never read"}); len(got) != 0 {
		t.Errorf("the next process does not know %q", got)
	}
	if got := requestsOf(next, "h", "lost")[0]; got.Cursor != copied["lost"] || got.Fresh != ahead+1 {
		t.Errorf("the next process asks for %+v", got)
	}
}

// TestACopyThatCantBeACursorIsNotSent: a request with it would fail the visit.
func TestACopyThatCantBeACursorIsNotSent(t *testing.T) {
	bad := map[string]report.Cursor{
		"epoch": {Epoch: -1, Record: 1}, "none": {}, "last": {Epoch: math.MaxInt64, Record: 1}, "record": {Epoch: 1, Record: -1},
		"long": {Epoch: 1, Position: strings.Repeat("x", report.MaxPosition+1)},
		"text": {Epoch: 1, Position: "\x1b"}, "utf8": {Epoch: 1, Position: "\xff"},
	}
	c := open(t, newTable(), &clock{noon})
	channels := slices.Sorted(maps.Keys(bad))
	n, err := c.TakeUp("h", channels, bad)
	if n != 0 || err == nil {
		t.Fatalf("TakeUp: %d, %v", n, err)
	}
	for _, channel := range channels {
		if !strings.Contains(err.Error(), channel+": epoch") {
			t.Errorf("the error names no %q: %v", channel, err)
		}
		if got := requestsOf(c, "h", channel); len(got) != 1 || got[0].Cursor != (report.Cursor{}) {
			t.Errorf("it asks for %+v", got)
		}
	}
	longest := report.Cursor{Epoch: 1, Position: strings.Repeat("x", report.MaxPosition)}
	if n, err := c.TakeUp("h2", []string{"x"}, map[string]report.Cursor{"x": longest}); n != 1 || err != nil {
		t.Errorf("the longest that there may be: %d, %v", n, err)
	}
}

// TestAChannelThatIsForgottenIsUnknown: if it comes back, whoever has a copy is asked again.
func TestAChannelThatIsForgottenIsUnknown(t *testing.T) {
	at := &clock{noon}
	c := open(t, newTable(), at)
	begin(t, c, "h", "x", "y")
	keep(t, c, "h", answer("x", 5, 9))
	all := map[string][]string{"h": {"x", "y"}}
	for range 2 {
		if err := c.Adopt(t.Context(), map[string][]string{"h": {"y"}}); err != nil {
			t.Fatal(err)
		}
		at.Time = at.Add(keptFor + time.Hour)
	}
	if err := c.Adopt(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if got := c.Unknown("h", all["h"]); !slices.Equal(got, []string{"x"}) {
		t.Errorf("unknown are %q", got)
	}
}

// keptFor is for how long the cursor of a channel is kept that the configuration does not have.
const keptFor = 30 * 24 * time.Hour
