package wevt_test

import (
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs/wevt"
	"muster/internal/report"
)

// matching are the ids of the log's records that a filter selects.
func matching(l *fakeLog, f *report.Filter, above int64) []int64 {
	var all []int64
	for _, r := range l.records {
		if r.ID > above && f.Match(&r.Record) {
			all = append(all, r.ID)
		}
	}
	return all
}

var filters = []report.Filter{
	{},
	{Events: report.Events{{First: 4625, Last: 4625}}},
	{Events: report.Events{{First: 4624, Last: 4626}, {First: 4625, Last: 4625, Exclude: true}}},
	{Levels: []report.Level{report.Error, report.Information}},
	{Providers: []string{"SOURCE1"}},
	{Providers: []string{"!source1"}},
	{Events: report.Events{{First: 9999, Last: 9999}}}, // none
}

// Few new records are all read, and Windows is not asked to go through a log of a million.
func TestAFilterNearTheEnd(t *testing.T) {
	for _, f := range filters[1:] {
		l := &fakeLog{t: t}
		s := newServer(f)
		l.write(50)
		s.readAll(t, l, 5)
		l.write(25)
		s.readAll(t, l, 5)
		wantIDs(t, s.records[1], matching(l, &f, 0))
		if s.request.Cursor.Record != 75 {
			t.Errorf("the cursor stands at %d, behind records that are not wanted", s.request.Cursor.Record)
		}
		for _, q := range l.queries {
			if q.Filter != nil {
				t.Errorf("Windows was asked to select: %+v", q)
			}
		}
		l.write(20)
		l.rotate(10)
		s.readAll(t, l, 5)
		wantGaps(t, s, report.Gap{Epoch: 1, First: 76, Last: 85, Possible: true})
	}
}

// Of many records Windows selects, and Match what Windows selected too much of.
func TestAFilterFarFromTheEnd(t *testing.T) {
	for _, f := range filters[1:] {
		l := &fakeLog{t: t, leaks: true}
		l.write(600)
		l.writeFar(600) // from 20600 on
		s := newServer(f)
		s.readAll(t, l, 100)
		wantIDs(t, s.records[1], matching(l, &f, 0))
		wantGaps(t, s)
		if s.request.Cursor.Record != 21199 || s.request.Cursor.Position == "" {
			t.Errorf("the cursor stands at %+v", s.request.Cursor)
		}
		asked := false
		for _, q := range l.queries {
			asked = asked || q.Filter != nil
		}
		if !asked {
			t.Error("Windows was not asked to select")
		}
		l.writeFar(600) // from 41199 on
		l.rotate(500)
		s.readAll(t, l, 100)
		wantGaps(t, s, report.Gap{Epoch: 1, First: 21200, Last: 41298, Possible: true})
	}
}

// While Windows looks for the few that are wanted, the log turns over.
func TestAFilteredLogThatIsFasterThanTheReading(t *testing.T) {
	for _, clear := range []bool{false, true} {
		f := report.Filter{XPath: "*[System[EventRecordID=7]]"}
		l := &fakeLog{t: t, xpath: func(r *report.Record) bool { return r.ID%100 == 0 }}
		l.write(1000)
		s := newServer(f)
		s.readAll(t, l, 5)
		l.write(1000)
		l.after = func(call string) {
			if call == "next" && len(l.queries) > 0 && l.queries[len(l.queries)-1].Filter != nil && len(l.records) == 2000 {
				l.write(1000)
				l.rotate(1500)
				if clear {
					l.records = nil
				}
			}
		}
		s.readAll(t, l, 1000)
		if len(s.gaps) != 1 || !s.gaps[0].Possible || s.gaps[0].First != 1001 {
			t.Fatalf("gaps %+v", s.gaps)
		}
		if last := s.gaps[0].Last; clear && last != 2000 || !clear && last != 1500 {
			t.Errorf("the gap ends at %d", last)
		}
	}
}

// A Windows that does not take a filter of ours gives all records, and Match selects. A query of the user's is his matter.
func TestAFilterThatWindowsDoesNotTake(t *testing.T) {
	for _, code := range []wevt.Code{wevt.InvalidQuery, 15017, wevt.FilterTooComplex} {
		f := report.Filter{Events: report.Events{{First: 4625, Last: 4625}}}
		l := &fakeLog{t: t}
		l.write(300)
		l.writeFar(300)
		l.fail = func(call string) error {
			if call == "query" && l.queries[len(l.queries)-1].Filter != nil { // of Windows, when it is asked to select
				return code
			}
			return nil
		}
		s := newServer(f)
		s.readAll(t, l, 5000)
		wantIDs(t, s.records[1], matching(l, &f, 0))
		wantGaps(t, s, report.Gap{Epoch: 1, First: 301, Last: 20299, Possible: true}) // a hole, as Windows has none

		s = newServer(report.Filter{XPath: "*[["})
		a := s.read(t, l, 10)
		wantTrouble(t, &a, report.TroubleQuery, "query")
	}
}

// A position that is not there is the nearest record on some way or other: nothing may be lost or come twice for that.
func TestAPositionOutOfRange(t *testing.T) {
	for _, f := range filters[:3] {
		l := &fakeLog{t: t, boundary: true}
		s := newServer(f)
		for range 4 {
			l.writeFar(300)
			s.readAll(t, l, 70)
		}
		wantIDs(t, s.records[1], matching(l, &f, 0))
		if f.IsZero() {
			continue // of the holes, which Windows has not
		}
		wantGaps(t, s)
	}
}

func TestAQueryListNamesItsChannelAlone(t *testing.T) {
	const form = `<QueryList><Query Id="0"><Select Path="PATH">*[System[Level=1]]</Select></Query></QueryList>`
	l := &fakeLog{t: t, xpath: func(r *report.Record) bool { return r.ID%10 == 0 }}
	l.write(100)
	s := newServer(report.Filter{XPath: strings.Replace(form, "PATH", "security", 1)})
	s.readAll(t, l, 3)
	if len(s.records[1]) != 10 {
		t.Errorf("%d records", len(s.records[1]))
	}
	l.fail = func(call string) error { // nothing of ours has a place in it: Windows begins at the beginning
		if call == "move" {
			return wevt.NotFound
		}
		return nil
	}
	l.write(20)
	s.readAll(t, l, 1)
	if len(s.records[1]) != 12 {
		t.Errorf("%d records", len(s.records[1]))
	}
	for _, query := range []string{
		strings.Replace(form, "PATH", "System", 1), strings.Replace(form, "PATH", "file://c:/x.evtx", 1),
		strings.Replace(form, ` Path="PATH"`, "", 1), form[:40], "<",
		strings.Replace(form, "<Select", "<!-- --><Select", 1), strings.Replace(form, `"PATH"`, `Security`, 1),
		strings.Replace(form, "<Select", `<Select Path="Security">*</Select><Select`, 1),
	} {
		s := newServer(report.Filter{XPath: query})
		a := s.read(t, l, 3)
		wantTrouble(t, &a, report.TroubleQuery, "query")
	}
}

func TestTextOfASelection(t *testing.T) {
	many := report.Events{}
	for id := int64(1); id <= 21; id++ {
		many = append(many, report.EventRange{First: id, Last: id})
	}
	for _, test := range []struct {
		name        string
		s           wevt.Selection
		path, query string
	}{
		{"all", wevt.Selection{}, "Security", "*"},
		{"one", wevt.Selection{Only: 7}, "Security", "*[System[EventRecordID=7]]"},
		{"from", wevt.Selection{From: now.Add(time.Millisecond)}, "Security", "*[System[TimeCreated[@SystemTime>='2026-11-23T12:00:00.001Z']]]"},
		{"above", wevt.Selection{Above: 7}, "Security", "*[System[EventRecordID>7]]"},
		{
			"events", wevt.Selection{Above: 7, Filter: &report.Filter{Events: report.Events{{First: 1102, Last: 1102}, {First: 4624, Last: 4625}}}},
			"Security", "*[System[EventRecordID>7 and (EventID=1102 or (EventID>=4624 and EventID<=4625))]]",
		},
		{
			"levels", wevt.Selection{Filter: &report.Filter{Levels: []report.Level{report.AuditFailure, report.Information, report.Debug}}},
			"Security", "*[System[(band(Keywords,4503599627370496) or Level=4 or Level=0 or Level>5)]]",
		},
		{"levels that Windows lacks", wevt.Selection{Filter: &report.Filter{Levels: []report.Level{report.Debug}}}, "Security", "*"},
		{"more than an XPath may have", wevt.Selection{Filter: &report.Filter{Events: many}}, "Security", "*"},
		{"as many as it may have", wevt.Selection{Above: 1, Filter: &report.Filter{Events: many[:20]}}, "Security", "*[System[EventRecordID>1]]"},
		{
			"exclusions", wevt.Selection{Above: 1, Filter: &report.Filter{
				Events:    report.Events{{First: 3, Last: 4, Exclude: true}},
				Providers: []string{"!It's", "Kept", `!Both ' and "`},
			}},
			"", `<QueryList><Query Id="0" Path="Security"><Select Path="Security">*[System[EventRecordID&gt;1]]</Select>` +
				`<Suppress Path="Security">*[System[((EventID&gt;=3 and EventID&lt;=4) or Provider[@Name=&quot;It's&quot;])]]</Suppress></Query></QueryList>`,
		},
		{
			"XPath", wevt.Selection{Above: 1, Filter: &report.Filter{XPath: "*[System[Level<3]]"}},
			"", `<QueryList><Query Id="0" Path="Security"><Select Path="Security">*[System[Level&lt;3]]</Select>` +
				`<Suppress Path="Security">*[System[EventRecordID&lt;=1]]</Suppress></Query></QueryList>`,
		},
		{"QueryList", wevt.Selection{Above: 1, Filter: &report.Filter{XPath: "<QueryList/>"}}, "", "<QueryList/>"},
	} {
		path, query := test.s.Text("Security")
		if path != test.path || query != test.query {
			t.Errorf("%s: %q %s\nwant %q %s", test.name, path, query, test.path, test.query)
		}
	}
}
