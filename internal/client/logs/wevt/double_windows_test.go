package wevt_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"

	"muster/internal/client/logs"
	"muster/internal/client/logs/wevt"
	"muster/internal/report"
)

// double is the double of wevtapi.dll that internal/wintest installs under Wine: it serves the files in C:\wevt.
type double struct {
	t           *testing.T
	open, calls *windows.LazyProc
}

// newDouble skips the test where the DLL is Windows's own.
func newDouble(t *testing.T) *double {
	t.Helper()
	dll := windows.NewLazySystemDLL("wevtapi.dll")
	d := &double{t: t, open: dll.NewProc("DoubleOpen"), calls: dll.NewProc("DoubleCalls")}
	if err := d.open.Find(); err != nil {
		t.Skipf("this is not the double of wevtapi.dll, and what it would read is unknown: %v", err)
	}
	d.modes()
	t.Cleanup(func() {
		if n, _, _ := d.open.Call(); n != 0 {
			t.Errorf("%d handles are left open", n)
		}
	})
	return d
}

func (d *double) file(name, content string) {
	d.t.Helper()
	if err := os.WriteFile(`C:\wevt\`+name, []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *double) modes(lines ...string) { d.t.Helper(); d.file("modes.txt", strings.Join(lines, "\n")) }

// called returns how often a function was called since the modes changed.
func (d *double) called(function string) int {
	name := append([]byte(function), 0)
	n, _, _ := d.calls.Call(uintptr(unsafe.Pointer(&name[0])))
	return int(n)
}

// event is the XML of an event.
func event(id int64, number int, provider, data string) string {
	return fmt.Sprintf(`<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='%s'/>`+
		`<EventID>%d</EventID><Level>%d</Level><Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime='2026-11-23T11:%02d:%02d.000000000Z'/>`+
		`<EventRecordID>%d</EventRecordID><Channel>%s</Channel><Computer>win1</Computer></System><EventData><Data Name='d'>%s</Data></EventData></Event>`,
		provider, number, id%6, id/60%60, id%60, id, channel, data)
}

// write makes a log of events from one id to another, and returns them.
func (d *double) write(first, last int64) []string {
	d.t.Helper()
	var events []string
	for id := first; id <= last; id++ {
		events = append(events, event(id, 4620+int(id%10), fmt.Sprintf("Source%d", id%3), fmt.Sprint(id)))
	}
	d.file(channel+".xml", strings.Join(events, "\n"))
	return events
}

func (d *double) read(q report.LogRequest, records int) report.Logs {
	d.t.Helper()
	if q.Fresh == 0 {
		q.Fresh = q.Cursor.Epoch + 1
	}
	a := wevt.Source().Read(d.t.Context(), logs.Query{LogRequest: q, Records: records, Bytes: 3 << 20, Now: now})
	if n, _, _ := d.open.Call(); n != 0 {
		d.t.Fatalf("%d handles are left open", n)
	}
	return a
}

func everything() report.LogRequest {
	return report.LogRequest{Channel: channel, Raw: true, Since: report.SinceAll}
}

func TestDoubleReadsAllOnce(t *testing.T) {
	d := newDouble(t)
	events := d.write(5, 204)
	q := everything()
	var got []string
	for range 10 {
		a := d.read(q, 30)
		if a.Trouble != nil || len(a.Gaps) > 0 {
			t.Fatalf("%+v, %+v", a.Trouble, a.Gaps)
		}
		for _, r := range a.Records {
			got = append(got, r.Raw)
		}
		q.Cursor = a.Next
		if !a.More {
			break
		}
	}
	if strings.Join(got, "\n") != strings.Join(events, "\n") {
		t.Errorf("%d records, the log has %d", len(got), len(events))
	}
}

// The text that Windows takes is the one that is meant: for each filter the same records come whether Windows selects or not.
func TestDoubleSelects(t *testing.T) {
	d := newDouble(t)
	d.file(channel+".xml", strings.Join(append(d.write(1, 100), d.write(20001, 20100)...), "\n")) // so far apart that Windows is asked
	for _, f := range []report.Filter{
		{Events: report.Events{{First: 4625, Last: 4625}, {First: 4627, Last: 4628}}},
		{Events: report.Events{{First: 4622, Last: 4629}, {First: 4625, Last: 4626, Exclude: true}}, Providers: []string{"!source1"}},
		{Levels: []report.Level{report.Error, report.Verbose}},
		{Levels: []report.Level{report.AuditFailure, report.Critical}},
		{Providers: []string{"SOURCE2"}},
		{XPath: "*[System[Level=2]] and *[EventData[Data[@Name='d']='8']]"},
		{XPath: `<QueryList><Query Id="0" Path="Security"><Select>*[System[EventRecordID&lt;3]]</Select></Query></QueryList>`},
	} {
		want := 0
		for _, r := range d.readAll(everything(), 5000) {
			if f.XPath == "" && f.Match(&r) {
				want++
			}
		}
		q := everything()
		q.Filter = f
		got := d.readAll(q, 5000)
		switch {
		case strings.HasPrefix(f.XPath, "<"):
			want = 2
		case f.XPath != "":
			want = 1
		}
		if len(got) != want || want == 0 {
			t.Errorf("%+v: %d records, want %d", f, len(got), want)
		}
	}
}

func (d *double) readAll(q report.LogRequest, records int) []report.Record {
	d.t.Helper()
	var all []report.Record
	for range 100 {
		a := d.read(q, records)
		if a.Trouble != nil {
			d.t.Fatalf("%+v: %+v", q.Filter, a.Trouble)
		}
		all = append(all, a.Records...)
		q.Cursor = a.Next
		if !a.More {
			return all
		}
	}
	d.t.Fatal("there is always more")
	return nil
}

func TestDoubleTrouble(t *testing.T) {
	d := newDouble(t)
	d.write(1, 100)
	for _, test := range []struct {
		mode  string
		kind  report.TroubleKind
		words string
	}{
		{"EvtQuery 5 0 0", report.TroubleDenied, "Event Log Readers"},
		{"EvtQuery 15007 0 0", report.TroubleAbsent, "15007"},
		{"EvtQuery 15001 0 0", report.TroubleQuery, "15001"},
		{"EvtQuery 0 0 0", report.TroubleFailed, "not why"},
		{"EvtQuery 1722 1 0", report.TroubleFailed, "1722"},
		{"EvtNext 1722 2 0", report.TroubleFailed, "1722"},
		{"EvtNext 15027 2 0", report.TroubleFailed, "15027"},
		{"EvtNext 15011 0 0", report.TroubleFailed, "15011"},
		{"EvtNext 1734 0 0", report.TroubleFailed, "1734"},
		{"EvtNext 0 0 0", report.TroubleFailed, "not why"},
		{"EvtRender 1722 5 0", report.TroubleFailed, "1722"},
	} {
		d.modes(test.mode)
		a := d.read(everything(), 1000)
		if a.Trouble == nil || a.Trouble.Kind != test.kind || !strings.Contains(a.Trouble.Text, test.words) {
			t.Errorf("%s: %+v", test.mode, a.Trouble)
		}
	}
	d.modes()
	for name, kind := range map[string]report.TroubleKind{"Absent": report.TroubleAbsent, "a|b": report.TroubleAbsent, "a\x00b": report.TroubleAbsent} {
		q := everything()
		q.Channel = name
		if a := d.read(q, 10); a.Trouble == nil || a.Trouble.Kind != kind {
			t.Errorf("%q: %+v", name, a.Trouble)
		}
	}
	q := everything()
	q.Filter.XPath = "*[System["
	if a := d.read(q, 10); a.Trouble == nil || a.Trouble.Kind != report.TroubleQuery {
		t.Errorf("%+v", a.Trouble)
	}
}

// Failures after which the query is made anew cost and double no record; nor does a Windows that can't say how old its log is,
// or has no positions.
func TestDoubleGoesOn(t *testing.T) {
	d := newDouble(t)
	d.write(1, 150)
	for _, mode := range []string{
		"batch 1", "batch 7", "EvtNext 15011 2 1", "EvtNext 15011 1 4", "EvtNext 1734 2 3", "EvtRender 15011 40 1", "EvtGetLogInfo 50 0 0",
		"EvtOpenLog 5 0 0", "EvtSeek 1168 0 0", "EvtSeek 15012 0 0", "EvtCreateBookmark 8 0 0", "EvtNext 4317 3 1",
	} {
		d.modes(mode)
		got := d.readAll(everything(), 40)
		if len(got) != 150 || got[149].ID != 150 {
			t.Errorf("%s: %d records", mode, len(got))
		}
	}
}

func TestDoubleClearsRotatesAndBeginsAnew(t *testing.T) {
	d := newDouble(t)
	d.write(1, 50)
	q := everything()
	q.Cursor = d.read(q, 100).Next
	d.write(60, 70)
	a := d.read(q, 100)
	if want := (report.Gap{Epoch: 1, First: 51, Last: 59}); len(a.Gaps) != 1 || a.Gaps[0].First != want.First || a.Gaps[0].Last != want.Last ||
		a.Begun != "" || len(a.Records) != 11 {
		t.Fatalf("%+v", a)
	}
	q.Cursor = a.Next
	d.file(channel+".xml", "")
	if a = d.read(q, 100); a.Next != q.Cursor || a.Trouble != nil {
		t.Fatalf("an empty log: %+v", a)
	}
	d.write(1, 3)
	if a = d.read(q, 100); a.Epoch != 2 || len(a.Records) != 3 || !strings.Contains(a.Why, "back") {
		t.Fatalf("%+v", a)
	}
}

// The server was killed after each answer: an epoch begins again as it began, or its log is another one by then.
func TestDoubleBeginsAgain(t *testing.T) {
	d := newDouble(t)
	d.file(channel+".xml", "")
	q := everything()
	q.Since = 0
	killed := func(epoch int64, gaps int, want []int64) {
		t.Helper()
		q.Fresh = max(1, q.Begun.Number+1)
		a := d.read(q, 10)
		if a.Trouble != nil || a.Epoch != epoch || len(a.Gaps) != gaps {
			t.Fatalf("epoch %d, want %d; %+v, %+v", a.Epoch, epoch, a.Trouble, a.Gaps)
		}
		wantIDs(t, a.Records, want)
		q.Begun = report.Epoch{Number: a.Epoch, Identity: a.Begun}
	}
	killed(1, 0, nil)
	killed(1, 0, nil)
	d.write(5, 7)
	killed(2, 0, span(5, 7))
	d.write(6, 30)
	killed(2, 1, span(6, 7)) // of which the first is gone
	d.write(1, 6)
	killed(3, 1, span(1, 6))
	d.write(3, 16)
	killed(3, 2, span(3, 6))
}

func TestDoubleMessages(t *testing.T) {
	d := newDouble(t)
	var events []string
	for i, number := range []int{4624, 4627, 1000, 1001, 4624, 4624} {
		provider := "Known"
		if i == 4 {
			provider = "Unknown1"
		}
		events = append(events, event(int64(i+1), number, provider, "x"))
	}
	d.file(channel+".xml", strings.Join(events, "\n"))
	d.modes("Nothing 0 0 0")
	q := everything()
	if a := d.read(q, 100); len(a.Records) != 6 || a.Records[0].Message != "" || d.called("EvtOpenPublisherMetadata") != 0 {
		t.Fatalf("messages that nobody wants: %+v", a)
	}
	q.Messages = true
	a := d.read(q, 100)
	if len(a.Records) != 6 || a.Trouble != nil {
		t.Fatalf("%+v", a)
	}
	for i, want := range []string{"Event 4624 of Known.", "Event 4627 of Known.", "", "Event 1001 of Known.\r\nxxx", "", "Event 4624 of Known."} {
		if got := a.Records[i].Message; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("record %d: %q", i+1, got)
		}
	}
	if n := len(a.Records[3].Message); n != 5000+len("Event 1001 of Known.\r\n") {
		t.Errorf("the long message has %d bytes", n)
	}
	if a.Records[0].Keywords != "Audit Success; Classic" {
		t.Errorf("keywords %q", a.Records[0].Keywords)
	}
	if n := d.called("EvtOpenPublisherMetadata"); n != 2 {
		t.Errorf("the publishers, of which there are 2, were opened %d times", n)
	}
}

// Texts beyond the first buffer, beyond ASCII, and with what UTF-8 can't have.
func TestDoubleTexts(t *testing.T) {
	d := newDouble(t)
	long := strings.Repeat("Grüße 𝄞 ", 1500)
	d.file(channel+".xml", event(1, 4624, "P", long)+event(2, 4624, "P", "half \xed\xa0\x80 of a pair")+event(3, 4624, "P", "\x03"))
	a := d.read(everything(), 10)
	if len(a.Records) != 3 || a.Trouble != nil {
		t.Fatalf("%+v", a.Trouble)
	}
	if r := a.Records[0]; r.Altered || r.Data[0].Value != long {
		t.Errorf("altered %v, %d bytes of %d", r.Altered, len(r.Data[0].Value), len(long))
	}
	for i, want := range []string{"half \ufffd of a pair", "\ufffd"} {
		if r := a.Records[i+1]; !r.Altered || r.Data[0].Value != want || !utf8.ValidString(r.Raw) {
			t.Errorf("altered %v, %q", r.Altered, r.Data[0].Value)
		}
	}
}
