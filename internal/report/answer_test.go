package report

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// asked is a request for three channels that were read before, and one that was not.
func asked() *Request {
	return &Request{Visit: "v", Host: "h", Records: 3, Bytes: 2000, Logs: []LogRequest{
		{Channel: "Security", Cursor: Cursor{3, 100, "p"}, Fresh: 5, Begun: Epoch{4, "begun"}},
		{Channel: Journal, Cursor: Cursor{1 << 60, 7, "q"}, Fresh: 1<<60 + 1},
		{Channel: "new", Fresh: 1},
	}}
}

func ids(ids ...int64) []Record {
	var records []Record
	for _, id := range ids {
		records = append(records, Record{ID: id, Time: time.Unix(0, 0).UTC()})
	}
	return records
}

func TestAnswersThatAreTaken(t *testing.T) {
	large := ids(101)
	large[0].Raw = strings.Repeat("x", 5000)
	for name, logs := range map[string][]Logs{
		"nothing":            nil,
		"nothing new":        {{Channel: "Security", Epoch: 3, Next: Cursor{3, 100, "p"}}},
		"records":            {{Channel: "Security", Epoch: 3, Records: ids(101, 105), Next: Cursor{3, 110, "r"}, Gaps: []Gap{{Epoch: 3, First: 102, Last: 104}}}},
		"passed over":        {{Channel: "Security", Epoch: 3, Next: Cursor{3, 110, "r"}, More: true}},
		"a fresh epoch":      {{Channel: "Security", Epoch: 5, Begun: "other", Records: ids(1), Next: Cursor{5, 1, ""}, Gaps: []Gap{{Epoch: 3, First: 101}}}},
		"a begun one, gone":  {{Channel: "Security", Epoch: 5, Begun: "other", Records: ids(1), Next: Cursor{5, 1, ""}, Gaps: []Gap{{Epoch: 4, First: 1}}}},
		"the begun epoch":    {{Channel: "Security", Epoch: 4, Begun: "begun", Records: ids(1), Next: Cursor{4, 1, ""}}},
		"begun, more of it":  {{Channel: "Security", Epoch: 4, Begun: "begun, and more", Records: ids(1, 2), Next: Cursor{4, 2, ""}}},
		"the journal's own":  {{Channel: Journal, Epoch: 12345, Begun: "s=1", Records: ids(1), Next: Cursor{12345, 1, ""}}},
		"the journal's gap":  {{Channel: Journal, Epoch: 12345, Begun: "s=1", Gaps: []Gap{{Epoch: 999, First: 3}}, Next: Cursor{12345, 1, ""}}},
		"a first reading":    {{Channel: "new", Epoch: 1, Begun: "x", Records: ids(1), Next: Cursor{1, 1, ""}}},
		"no first reading":   {{Channel: "new", Trouble: &Trouble{TroubleAbsent, "x"}}},
		"one record, large":  {{Channel: "Security", Epoch: 3, Records: large, Next: Cursor{3, 101, ""}}},
		"all that may be":    {{Channel: "Security", Epoch: 3, Records: ids(101, 102), Next: Cursor{3, 102, ""}}, {Channel: "new", Epoch: 1, Begun: "x", Records: ids(1), Next: Cursor{1, 1, ""}}},
		"another, not asked": {{Channel: "new", Epoch: 1, Begun: "x", Next: Cursor{1, 0, ""}}},
	} {
		if err := asked().CheckLogs(logs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Several answers in a row were perhaps kept, and began an epoch each: any of these may have a gap.
func TestGapsOfEpochsThatBeganBefore(t *testing.T) {
	q := LogRequest{Channel: "Security", Cursor: Cursor{3, 100, "p"}, Fresh: 9, Begun: Epoch{8, "begun"}}
	r := Request{Logs: []LogRequest{q}}
	for epoch, want := range map[int64]error{2: ErrEpoch, 3: nil, 4: nil, 7: nil, 8: nil, 9: nil, 10: ErrEpoch} {
		logs := Logs{Channel: "Security", Epoch: 9, Begun: "other", Next: Cursor{9, 1, ""}, Gaps: []Gap{{Epoch: epoch, First: 1}}}
		if err := r.CheckLogs([]Logs{logs}); !errors.Is(err, want) {
			t.Errorf("a gap in epoch %d: got the error %v, want %v", epoch, err, want)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	two := ids(101, 102)
	two[1].Raw = strings.Repeat("x", 2000)
	for name, test := range map[string]struct {
		logs Logs
		want error
	}{
		"another channel":             {Logs{Channel: "System"}, ErrNotAsked},
		"another spelling":            {Logs{Channel: "security", Epoch: 3, Next: Cursor{3, 100, "p"}}, ErrNotAsked},
		"the cursor goes back":        {Logs{Channel: "Security", Epoch: 3, Next: Cursor{3, 99, "p"}}, ErrBackward},
		"a record that was read":      {Logs{Channel: "Security", Epoch: 3, Records: ids(100), Next: Cursor{3, 100, "p"}}, ErrBackward},
		"no epoch after one":          {Logs{Channel: "Security"}, ErrEpoch},
		"an earlier epoch":            {Logs{Channel: "Security", Epoch: 2, Begun: "x", Next: Cursor{2, 1, ""}}, ErrEpoch},
		"an epoch of its own":         {Logs{Channel: "Security", Epoch: 6, Begun: "x", Next: Cursor{6, 1, ""}}, ErrEpoch},
		"begun, and another number":   {Logs{Channel: "Security", Epoch: 5, Begun: "begun", Next: Cursor{5, 1, ""}}, ErrEpoch},
		"an epoch without a name":     {Logs{Channel: "Security", Epoch: 5, Next: Cursor{5, 1, ""}}, ErrEpoch},
		"the old epoch begins":        {Logs{Channel: "Security", Epoch: 3, Begun: "begun", Next: Cursor{3, 100, ""}}, ErrEpoch},
		"the journal, without a name": {Logs{Channel: Journal, Epoch: 5, Next: Cursor{5, 1, ""}}, ErrEpoch},
		"the journal goes back":       {Logs{Channel: Journal, Epoch: 1 << 60, Next: Cursor{1 << 60, 6, ""}}, ErrBackward},
		"a first epoch of its own":    {Logs{Channel: "new", Epoch: 2, Begun: "x", Next: Cursor{2, 1, ""}}, ErrEpoch},
		"a gap elsewhere":             {Logs{Channel: "Security", Epoch: 3, Next: Cursor{3, 100, ""}, Gaps: []Gap{{Epoch: 2, First: 1}}}, ErrEpoch},
		"too many records":            {Logs{Channel: "Security", Epoch: 3, Records: ids(101, 102, 103, 104), Next: Cursor{3, 104, ""}}, ErrTooLarge},
		"too many bytes":              {Logs{Channel: "Security", Epoch: 3, Records: two, Next: Cursor{3, 102, ""}}, ErrTooLarge},
	} {
		err := asked().CheckLogs([]Logs{test.logs})
		var answer *AnswerError
		if !errors.As(err, &answer) || !errors.Is(err, test.want) {
			t.Errorf("%s: got the error %v, want %v", name, err, test.want)
			continue
		}
		if wide := errors.Is(err, ErrTooLarge); (answer.Channel == "") != wide || !wide && !strings.Contains(err.Error(), test.logs.Channel) {
			t.Errorf("%s: it names the channel %q: %v", name, answer.Channel, err)
		}
	}
	r := asked()
	r.Records, r.Bytes = 0, 0
	if records, bytes := r.Bounds(); records != MaxRecords || bytes != MaxRecordBytes {
		t.Errorf("the bounds of nothing are %d and %d", records, bytes)
	}
	if err := r.CheckLogs([]Logs{{Channel: "Security", Epoch: 3, Records: two, Next: Cursor{3, 102, ""}}}); err != nil {
		t.Errorf("without bounds: %v", err)
	}
}

// answering returns the document of a report with these logs.
func answering(t *testing.T, logs ...Logs) []byte {
	t.Helper()
	return marshal(t, &Report{Visit: "v", Host: "h", Time: time.Unix(0, 0).UTC(), Client: "c", OS: "linux", Arch: "amd64", Logs: logs})
}

func TestAReportThatAnswersItsRequest(t *testing.T) {
	document := answering(t, Logs{Channel: "Security", Epoch: 3, Records: ids(101, 102, 103), Next: Cursor{3, 110, "r"}})
	r, err := asked().Parse(document)
	if err != nil || len(r.Logs) != 1 || len(r.Logs[0].Records) != 3 {
		t.Fatalf("got %+v, %v", r, err)
	}
	for name, test := range map[string]struct {
		logs Logs
		want error
	}{
		"not asked":        {Logs{Channel: "System"}, ErrNotAsked},
		"going back":       {Logs{Channel: "Security", Epoch: 3, Next: Cursor{3, 99, "p"}}, ErrBackward},
		"an epoch":         {Logs{Channel: "Security", Epoch: 2, Begun: "x", Next: Cursor{2, 1, ""}}, ErrEpoch},
		"too many records": {Logs{Channel: "Security", Epoch: 3, Records: ids(101, 102, 103, 104), Next: Cursor{3, 104, ""}}, ErrTooLarge},
	} {
		r, err := asked().Parse(answering(t, test.logs))
		var answer *AnswerError
		if r != nil || !errors.As(err, &answer) || !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
	var broken *ParseError
	if _, err := asked().Parse(document[:len(document)-5]); !errors.As(err, &broken) {
		t.Errorf("of a document that is cut: %v", err)
	}
	large := ids(101, 102)
	large[0].Raw = strings.Repeat("x", 5000)
	document = answering(t, Logs{Channel: "Security", Epoch: 3, Records: large[:1], Next: Cursor{3, 101, ""}})
	if _, err := asked().Parse(document); err != nil {
		t.Errorf("one record may be as large as it is: %v", err)
	}
	document = answering(t, Logs{Channel: "Security", Epoch: 3, Records: large, Next: Cursor{3, 102, ""}})
	if _, err := asked().Parse(document); !errors.Is(err, ErrTooLarge) {
		t.Errorf("and no other beside it: %v", err)
	}
}

// A report has all that any may have, of which next to nothing was asked for.
func TestWhatWasNotAskedForIsNotRead(t *testing.T) {
	records := make([]Record, MaxRecords)
	for i := range records {
		records[i] = Record{ID: int64(101 + i), Time: time.Unix(0, 0).UTC(), Message: strings.Repeat("x", 400)}
	}
	for name, channel := range map[string]string{"more than was asked for": "Security", "what nobody asked for": "System"} {
		document := answering(t, Logs{Channel: channel, Epoch: 3, Records: records, Next: Cursor{3, 101 + MaxRecords, ""}})
		if _, err := Parse(document); err != nil {
			t.Fatal(err)
		}
		request := asked()
		got := testing.AllocsPerRun(3, func() {
			if _, err := request.Parse(document); err == nil {
				t.Error("it is taken")
			}
		})
		if got > 100 {
			t.Errorf("%s: %v allocations for some %d records that are allowed", name, got, request.Records)
		}
	}
}
