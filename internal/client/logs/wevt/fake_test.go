package wevt_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"muster/internal/client/logs"
	"muster/internal/client/logs/wevt"
	"muster/internal/client/logs/winevent"
	"muster/internal/report"
)

const channel = "Security"

// now is when the tests read.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fakeLog is an event log of one channel. It fails as the tests say, and counts what is open.
type fakeLog struct {
	t       *testing.T
	records []fakeRecord
	open    int
	queries []wevt.Selection

	most     int                // EvtNext takes so many events at most, and moves on in spite of it; 0: any number
	fail     func(string) error // before each call, by its name
	after    func(string)       // after each call
	odd      bool               // the end is told in the other way
	leaks    bool               // Windows selects more than was asked for
	boundary bool               // a position that is not there is the nearest, silently
	xpath    func(r *report.Record) bool
	stale    int  // results made before are stale
	endless  bool // what Windows has to select takes it all the time that there is
}

// fakeRecord is a record of the log.
type fakeRecord struct {
	report.Record
	xml    string
	broken bool // Windows can't render it
}

// write writes events to the log, with ids that follow the last.
func (l *fakeLog) write(n int) {
	id := int64(1)
	if len(l.records) > 0 {
		id = l.records[len(l.records)-1].ID + 1
	}
	for i := range n {
		l.add(id+int64(i), now.Add(-time.Minute), 0)
	}
}

// writeFar writes events whose ids are so far from those before that Windows is asked to select.
func (l *fakeLog) writeFar(n int) {
	first := int64(1)
	if len(l.records) > 0 {
		first = l.records[len(l.records)-1].ID + 20000
	}
	for i := range n {
		l.add(first+int64(i), now.Add(-time.Minute), 0)
	}
}

// add adds one record. Its nonce tells it from others of the same id and time.
func (l *fakeLog) add(id int64, at time.Time, nonce int) {
	event := 4624 + id%3
	xml := fmt.Sprintf(`<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Source%d'/>`+
		`<EventID>%d</EventID><Level>%d</Level><TimeCreated SystemTime='%s'/><EventRecordID>%d</EventRecordID>`+
		`<Channel>%s</Channel><Computer>win1</Computer></System><EventData><Data Name='n'>%d</Data></EventData></Event>`,
		id%2, event, id%5, at.Add(time.Duration(nonce)*time.Microsecond).Format("2006-01-02T15:04:05.000000000Z"), id, channel, id)
	record, err := winevent.Parse([]byte(xml))
	if err != nil {
		l.t.Fatal(err)
	}
	l.records = append(l.records, fakeRecord{Record: record, xml: xml})
}

// rotate removes all but the newest.
func (l *fakeLog) rotate(keep int) {
	l.records = slices.Clone(l.records[max(0, len(l.records)-keep):])
}

func (l *fakeLog) called(name string) error {
	l.t.Helper()
	if l.fail != nil {
		if err := l.fail(name); err != nil {
			return err
		}
	}
	if l.after != nil {
		l.after(name)
	}
	return nil
}

func (l *fakeLog) Query(name string, s wevt.Selection) (wevt.Results, error) {
	if name != channel {
		return nil, wevt.ChannelNotFound
	}
	l.queries = append(l.queries, s)
	if err := l.called("query"); err != nil {
		return nil, err
	}
	l.open++
	return &fakeResults{log: l, selection: s, made: l.stale}, nil
}

func (l *fakeLog) Oldest(string) (int64, error) {
	if err := l.called("oldest"); err != nil || len(l.records) == 0 {
		return 0, err
	}
	return l.records[0].ID, nil
}

// fakeResults reads the log as it is when it is asked, as Windows does.
type fakeResults struct {
	log       *fakeLog
	selection wevt.Selection
	last      int64 // the id behind which it stands
	made      int
	closed    bool
}

func (r *fakeResults) selected(record *fakeRecord) bool {
	s := &r.selection
	switch {
	case s.Only > 0:
		return record.ID == s.Only
	case record.ID <= s.Above && !(s.Filter != nil && strings.HasPrefix(s.Filter.XPath, "<")): // in which it has no place
		return false
	case !s.From.IsZero() && record.Time.Before(s.From):
		return false
	case s.Filter == nil:
		return true
	case s.Filter.XPath != "":
		return r.log.xpath(&record.Record)
	}
	return s.Filter.Match(&record.Record) || r.log.leaks && record.ID%7 == 0
}

func (r *fakeResults) Next(ctx context.Context, events []wevt.Event) (int, error) {
	if err := r.log.called("next"); err != nil {
		return 0, err
	}
	if r.log.endless && r.selection.Filter != nil && !r.selection.Filter.IsZero() {
		<-ctx.Done()
		return 0, wevt.Timeout
	}
	if r.made != r.log.stale {
		return 0, wevt.ResultStale
	}
	n := 0
	for i := r.begin(); i >= 0 && i < len(r.log.records) && n < len(events); i += r.step() {
		if record := &r.log.records[i]; r.selected(record) {
			events[n] = &fakeEvent{log: r.log, record: *record}
			r.last = record.ID
			n++
		}
	}
	switch {
	case r.log.most > 0 && len(events) > r.log.most:
		return 0, wevt.InvalidBound
	case n == 0 && r.log.odd:
		return 0, wevt.InvalidOperation
	case n == 0:
		return 0, wevt.NoMoreItems
	}
	r.log.open += n
	return n, nil
}

// begin is the index of the record that follows the last one.
func (r *fakeResults) begin() int {
	i, found := slices.BinarySearchFunc(r.log.records, r.last, func(f fakeRecord, id int64) int { return cmp.Compare(f.ID, id) })
	switch {
	case r.selection.NewestFirst && r.last == 0:
		return len(r.log.records) - 1
	case r.selection.NewestFirst:
		return i - 1
	case found:
		return i + 1
	}
	return i
}

func (r *fakeResults) step() int {
	if r.selection.NewestFirst {
		return -1
	}
	return 1
}

func (r *fakeResults) MoveTo(id int64) error {
	if err := r.log.called("move"); err != nil {
		return err
	}
	there := slices.ContainsFunc(r.log.records, func(f fakeRecord) bool { return f.ID == id && r.selected(&f) })
	if !there && !r.log.boundary {
		return wevt.NotFound
	}
	r.last = id - 1
	return nil
}

func (r *fakeResults) Close() {
	if r.closed {
		r.log.t.Error("results are closed twice")
	}
	r.closed = true
	r.log.open--
}

type fakeEvent struct {
	log    *fakeLog
	record fakeRecord
	closed bool
}

func (e *fakeEvent) XML() ([]uint16, error) {
	if err := e.log.called("xml"); err != nil {
		return nil, err
	}
	if e.record.broken {
		return nil, wevt.Code(13)
	}
	return utf16.Encode([]rune(e.record.xml + "\x00")), nil
}

func (e *fakeEvent) Words(publisher string) (wevt.Words, error) {
	if err := e.log.called("words"); err != nil {
		return wevt.Words{}, err
	}
	return wevt.Words{Message: "said by " + publisher, Keywords: []string{"Audit Success", "Classic"}}, nil
}

func (e *fakeEvent) Close() {
	if e.closed {
		e.log.t.Error("an event is closed twice")
	}
	e.closed = true
	e.log.open--
}

// server is what the server keeps of a channel.
type server struct {
	request report.LogRequest
	records map[int64][]report.Record // by epoch
	gaps    []report.Gap
	begun   report.Epoch
	fresh   int64
}

func newServer(f report.Filter) *server {
	return &server{
		request: report.LogRequest{Channel: channel, Filter: f, Raw: true, Since: report.SinceAll},
		records: map[int64][]report.Record{}, fresh: 1,
	}
}

// query is what the server asks for next.
func (s *server) query(records int) logs.Query {
	q := logs.Query{LogRequest: s.request, Records: records, Bytes: 1 << 20, Now: now}
	q.Fresh, q.Begun = s.fresh, s.begun
	return q
}

// read reads once, checks what every answer has to keep, and keeps what it brings.
func (s *server) read(t *testing.T, l *fakeLog, records int) report.Logs {
	t.Helper()
	a := wevt.Read(t.Context(), l, s.query(records))
	checkAnswer(t, s, &a, records)
	if l.open != 0 {
		t.Fatalf("%d handles are left open", l.open)
	}
	s.reserve(&a)
	s.keep(&a)
	return a
}

func checkAnswer(t *testing.T, s *server, a *report.Logs, records int) {
	t.Helper()
	q := s.query(records)
	request := report.Request{Logs: []report.LogRequest{q.LogRequest}, Records: records, Bytes: q.Bytes}
	if err := request.CheckLogs([]report.Logs{*a}); err != nil {
		t.Fatalf("%v\n%+v", err, a)
	}
	if a.Channel != channel || len(a.Records) > records {
		t.Fatalf("%q, %d records of at most %d", a.Channel, len(a.Records), records)
	}
	if (a.Begun == "") != (a.Why == "") || (a.Begun == "") != (a.Epoch == s.request.Cursor.Epoch) || a.Next.Epoch != a.Epoch {
		t.Fatalf("epoch %d, begun %q, why %q, next %+v, after %+v", a.Epoch, a.Begun, a.Why, a.Next, s.request.Cursor)
	}
	last := int64(0)
	if a.Begun == "" {
		last = s.request.Cursor.Record
	}
	for _, r := range a.Records {
		if r.ID <= last || r.ID > a.Next.Record {
			t.Fatalf("record %d follows %d, and the next reading begins behind %d", r.ID, last, a.Next.Record)
		}
		last = r.ID
	}
	if len(a.Next.Position) > report.MaxPosition || len(a.Begun) > report.MaxIdentity {
		t.Fatalf("%+v is longer than a position may be, or %q than an identity", a.Next, a.Begun)
	}
}

// reserve is what the server does before it keeps an answer.
func (s *server) reserve(a *report.Logs) {
	if a.Begun != "" {
		s.begun = report.Epoch{Number: a.Epoch, Identity: a.Begun}
		s.fresh = max(s.fresh, a.Epoch+1)
	}
}

// keep is what the server does with an answer.
func (s *server) keep(a *report.Logs) {
	if len(a.Records) > 0 {
		s.records[a.Epoch] = append(s.records[a.Epoch], a.Records...)
	}
	s.gaps = append(s.gaps, a.Gaps...)
	s.request.Cursor = a.Next
}

// readAll reads until there is no more.
func (s *server) readAll(t *testing.T, l *fakeLog, records int) {
	t.Helper()
	for range 10000 {
		if a := s.read(t, l, records); !a.More {
			return
		}
	}
	t.Fatal("there is always more")
}

func ids(records []report.Record) []int64 {
	var all []int64
	for _, r := range records {
		all = append(all, r.ID)
	}
	return all
}

// span are the ids from one to another.
func span(first, last int64) []int64 {
	var all []int64
	for id := first; id <= last; id++ {
		all = append(all, id)
	}
	return all
}

func wantIDs(t *testing.T, got []report.Record, want []int64) {
	t.Helper()
	if g := ids(got); !slices.Equal(g, want) {
		t.Fatalf("records %v, want %v", g, want)
	}
}

func wantTrouble(t *testing.T, a *report.Logs, kind report.TroubleKind, words string) {
	t.Helper()
	if a.Trouble == nil || a.Trouble.Kind != kind || !strings.Contains(a.Trouble.Text, words) {
		t.Fatalf("trouble %+v, want %s with %q", a.Trouble, kind, words)
	}
}
