package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// eventXML is a real event of the Security log as Windows renders it, with a line end of its kind inside.
const eventXML = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' ` +
	`Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/><EventID>4625</EventID><Version>0</Version><Level>0</Level><Task>12544</Task>` +
	`<Opcode>0</Opcode><Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime='2026-03-14T15:09:26.5358979Z'/>` +
	`<EventRecordID>229977</EventRecordID><Correlation/><Execution ProcessID='516' ThreadID='3240'/><Channel>Security</Channel>` +
	`<Computer>DC01.contoso.local</Computer><Security/></System><EventData><Data Name='SubjectUserSid'>S-1-0-0</Data>` +
	`<Data Name='TargetUserName'>O&apos;Brien &amp; &lt;co&gt;</Data><Data Name='Status'>0xc000006d</Data>` +
	`<Data Name='Comment'>first` + "\r\n" + `second</Data></EventData></Event>`

// texts are what may stand between tags and must come back byte for byte.
func texts() map[string]string {
	return map[string]string{
		"empty":                     "",
		"line":                      "Mar 14 15:09:26 web1 sshd[516]: Failed password for root from 192.0.2.1 port 22 ssh2",
		"event":                     eventXML,
		"CR LF":                     "a\r\nb\r\n",
		"CR":                        "\r",
		"CR in XML":                 "<a>\r</a>\r\n<b/>\r<c/><d/>",
		"CR CR":                     "<a><b><c><d><e>\r\r<f>",
		"line ends":                 "\n\na\n",
		"tabs":                      "\ta\t\t",
		"white space":               "   ",
		"white space at both ends":  "  a  ",
		"quotes":                    `"a" 'b'`,
		"end of a section":          "]]>",
		"ends of sections":          "]]>]]>]]]]>>",
		"end of a section in XML":   "<a><![CDATA[<b>]]></a><c>&amp;&amp;</c>",
		"parts of an end":           "<a><b><c><d><e>]]",
		"almost an end":             "<a><b><c><d><e>]>]]",
		"end, CR and bracket":       "<a><b><c><d><e>]]\r>]\r]>",
		"references":                "&amp;&#13;&lt;<&",
		"comment":                   "<!-- a -- b -->",
		"instruction":               "<?xml version='1.0'?><!DOCTYPE a>",
		"letters":                   "Zürich 東京 \U0001F600",
		"bidirectional":             "a\u202eb\u2066c\u200f",
		"controls that XML has":     "\u007f\u0080\u0085\u009f\u2028\ufeff",
		"replacement":               "\ufffd",
		"highest":                   "\U0010fffd\ufffd\ue000\ud7ff",
		"longer than any read size": strings.Repeat("<x>&]]>\r\n", 1000),
	}
}

// record returns a record that has one of everything.
func record(id int64) Record {
	return Record{
		ID: id, Time: time.Date(2026, 3, 14, 15, 9, 26, 535897900, time.UTC), Level: AuditFailure, Event: 4625,
		Source: "Microsoft-Windows-Security-Auditing", Computer: "DC01.contoso.local", User: `CONTOSO\O'Brien & "co"`,
		Process: 516, Keywords: "Audit Failure; Classic", Message: "An account failed to log on.\r\n\r\nSubject:\t-",
		Data: []Field{{"TargetUserName", "O'Brien & <co>"}, {"", "unnamed"}, {"Empty", ""}, {"", ""}}, Raw: eventXML,
	}
}

// withLogs is a report with channels in every state.
func withLogs() *Report {
	r := typical()
	r.Statistics = r.Statistics[:3]
	all := Logs{Channel: "Everything", Epoch: 7, Next: Cursor{Epoch: 7}}
	for i, name := range slices.Sorted(keys(texts())) {
		text := texts()[name]
		all.Records = append(all.Records, Record{ID: int64(2*i + 1), Time: r.Time, Message: text, Raw: text, Data: []Field{{"", text}, {name, text}}})
	}
	all.Next.Record = lastID(all.Records)
	r.Logs = []Logs{
		{Channel: "Security", Epoch: 3, Begun: "S-1 <2>", Why: "the log was cleared", Records: []Record{record(229977), record(229979)},
			Gaps: []Gap{{2, 10, 20, false, "overwritten"}, {3, 1, 0, true, `"why" & <why>`}},
			Next: Cursor{3, 229980, `{"hash":"<&>"}`}, More: true},
		{Channel: "file:/var/log/auth.log", Trouble: &Trouble{TroubleDenied, "open /var/log/auth.log: permission denied"}},
		{Channel: Journal, Epoch: math.MaxInt64, Next: Cursor{math.MaxInt64, math.MaxInt64, "s=1;i=2"},
			Records: []Record{{ID: math.MaxInt64, Time: time.Unix(0, 0).UTC(), Altered: true, Event: maxNumber, Process: maxNumber}}},
		all,
	}
	return r
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestTextsComeBackByteForByte(t *testing.T) {
	for name, text := range texts() {
		r := typical()
		r.Logs = []Logs{{Channel: "c", Epoch: 1, Next: Cursor{Epoch: 1, Record: 1}, Records: []Record{
			{ID: 1, Time: r.Time, Message: text, Data: []Field{{"", text}, {"n", text}}, Raw: text}}}}
		want := r.Logs[0].Records[0]
		if err := r.Logs[0].Clean(); err != nil || !reflect.DeepEqual(r.Logs[0].Records[0], want) {
			t.Errorf("%s: cleaned it is %+v, %v", name, r.Logs[0].Records[0], err)
		}
		got, err := Parse(marshal(t, r))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got.Logs[0].Records[0], want) {
			t.Errorf("%s: got %+v, want %+v", name, got.Logs[0].Records[0], want)
		}
		same(t, got, readOtherwise(t, marshal(t, r)))
	}
}

func TestARecordHasOneForm(t *testing.T) {
	r := record(1)
	r.Message, r.Raw = "a\r\n<b>", "<a><b/>]]>\r</a><c><d>"
	want := `      <record id="1" time="2026-03-14T15:09:26.5358979Z" level="audit-failure" event="4625"` +
		` source="Microsoft-Windows-Security-Auditing" computer="DC01.contoso.local" user="CONTOSO\O'Brien &amp; &quot;co&quot;"` +
		` process="516" keywords="Audit Failure; Classic"><message>a&#13;` + "\n" + `&lt;b></message>` +
		`<data name="TargetUserName">O'Brien &amp; &lt;co></data><data>unnamed</data><data name="Empty"></data><data></data>` +
		`<raw>&lt;a>&lt;b/>]]&gt;&#13;&lt;/a>&lt;c>&lt;d></raw></record>` + "\n"
	if got := string(appendRecord(nil, &r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r = Record{ID: 2, Time: time.Unix(0, 0), Altered: true, Raw: "<a><b/>]]>\r</a><c><d><e><f><g><h><i><j>"}
	want = `      <record id="2" time="1970-01-01T00:00:00Z" altered="true"><raw>` +
		`<![CDATA[<a><b/>]]]]><![CDATA[>]]>&#13;<![CDATA[</a><c><d><e><f><g><h><i><j>]]></raw></record>` + "\n"
	r.Raw += "<k><l><m><n><o>"
	want = strings.Replace(want, "<j>", "<j><k><l><m><n><o>", 1)
	if got := string(appendRecord(nil, &r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What Size says a record costs is what it costs, whatever is in it: the client counts by it before it writes.
func TestSizeIsExact(t *testing.T) {
	check := func(r Record) {
		t.Helper()
		if got, want := r.Size(), len(appendRecord(nil, &r)); got != want {
			t.Errorf("%d bytes, want %d: %+v", got, want, r)
		}
	}
	check(record(1))
	check(Record{})
	for _, r := range withLogs().Logs[3].Records {
		check(r)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		check(CleanRecord(randomRecord(random)))
	}
}

// randomRecord returns a record whose texts are made of what is hard to write.
func randomRecord(random *rand.Rand) Record {
	pieces := []string{"<", ">", "]", "]]>", "&", "\r", "\n", "\t", `"`, "'", "a", "é", "\U0001F600", "\x00", "\xff", "\uffff", "\u202e", "<a>", "<b><c>"}
	text := func() string {
		var b strings.Builder
		for range random.IntN(30) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	r := Record{
		ID: random.Int64(), Time: time.Unix(random.Int64N(1e10), random.Int64N(1e9)), Level: append(Levels(), "", "x")[random.IntN(13)],
		Event: random.Int64N(1 << 33), Process: random.Int64() - 1<<62, Source: text(), Computer: text(), User: text(),
		Keywords: text(), Message: text(), Raw: text(),
	}
	for range random.IntN(5) {
		r.Data = append(r.Data, Field{text(), text()})
	}
	return r
}

func TestCleanRecord(t *testing.T) {
	bomb := Record{ID: 1, Time: time.Unix(0, 0).UTC(), Message: strings.Repeat("&", MaxMessage), Raw: strings.Repeat("\r", MaxRaw)}
	for range MaxFields {
		bomb.Data = append(bomb.Data, Field{strings.Repeat(`"`, MaxWord), strings.Repeat("<\r&", MaxField/3)})
	}
	long := strings.Repeat("é", MaxRaw)
	for name, test := range map[string]struct {
		given Record
		want  func(*Record) bool
	}{
		"NUL":            {Record{Message: "a\x00b"}, func(r *Record) bool { return r.Message == "a\ufffdb" }},
		"controls":       {Record{Raw: "\x01\x1b\x1f\x08\x0b\x0c"}, func(r *Record) bool { return r.Raw == strings.Repeat("\ufffd", 6) }},
		"not UTF-8":      {Record{Raw: "a\xff\xfeb\xc3"}, func(r *Record) bool { return r.Raw == "a\ufffd\ufffdb\ufffd" }},
		"surrogate":      {Record{Raw: "\xed\xa0\x80"}, func(r *Record) bool { return r.Raw == "\ufffd\ufffd\ufffd" }},
		"no characters":  {Record{Raw: "\ufffe\uffff"}, func(r *Record) bool { return r.Raw == "\ufffd\ufffd" }},
		"field":          {Record{Data: []Field{{"a", "b"}, {"c", "\x00"}}}, func(r *Record) bool { return r.Data[0].Value == "b" && r.Data[1].Value == "\ufffd" }},
		"field's name":   {Record{Data: []Field{{"a\n", "b"}}}, func(r *Record) bool { return r.Data[0].Name == "a\ufffd" }},
		"user":           {Record{User: "a\u202eb\tc"}, func(r *Record) bool { return r.User == "a\ufffdb\ufffdc" }},
		"long user":      {Record{User: strings.Repeat("é", 300)}, func(r *Record) bool { return utf8.RuneCountInString(r.User) == MaxWord }},
		"level":          {Record{Level: "loud"}, func(r *Record) bool { return r.Level == "" }},
		"event":          {Record{Event: -1}, func(r *Record) bool { return r.Event == 0 }},
		"process":        {Record{Process: 1 << 32}, func(r *Record) bool { return r.Process == 0 }},
		"no time":        {Record{Raw: "x"}, func(r *Record) bool { return r.Time.Equal(time.Unix(0, 0)) && r.Raw == "x" }},
		"1601":           {Record{Time: time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)}, func(r *Record) bool { return r.Time.Year() == 1970 }},
		"30828":          {Record{Time: time.Date(30828, 1, 1, 0, 0, 0, 0, time.UTC)}, func(r *Record) bool { return r.Time.Year() == 9999 }},
		"long raw":       {Record{Raw: "x" + long}, func(r *Record) bool { return len(r.Raw) == MaxRaw-1 && strings.HasPrefix("x"+long, r.Raw) }},
		"long message":   {Record{Message: long}, func(r *Record) bool { return len(r.Message) == MaxMessage }},
		"long field":     {Record{Data: []Field{{"", long}}}, func(r *Record) bool { return len(r.Data[0].Value) == MaxField }},
		"many fields":    {Record{Data: make([]Field, MaxFields+1)}, func(r *Record) bool { return len(r.Data) == MaxFields }},
		"all too large":  {bomb, func(r *Record) bool { return r.Size() > MaxRecord/8 && len(r.Data) > MaxFields/4 }},
		"grows, is long": {Record{Raw: strings.Repeat("\xff", MaxRaw)}, func(r *Record) bool { return len(r.Raw) == MaxRaw/3*3 }},
	} {
		given := test.given
		given.ID = 1
		if given.Time.IsZero() && name != "no time" {
			given.Time = time.Unix(0, 0).UTC()
		}
		data := slices.Clone(given.Data)
		got := CleanRecord(given)
		if !got.Altered || !test.want(&got) {
			t.Errorf("%s: got %.300s", name, fmt.Sprintf("%+v", got))
		}
		if size := got.Size(); size > MaxRecord || got.check() != nil {
			t.Errorf("%s: it is not sendable: %d bytes, %v", name, size, got.check())
		}
		if again := CleanRecord(got); !reflect.DeepEqual(again, got) {
			t.Errorf("%s: cleaned again it is %.300s", name, fmt.Sprintf("%+v", again))
		}
		if !slices.Equal(given.Data, data) {
			t.Errorf("%s: the record that was given was changed", name)
		}
	}
	if got := CleanRecord(record(1)); !reflect.DeepEqual(got, record(1)) {
		t.Errorf("a clean record became %+v", got)
	}
}

// The largest that a reading can be: every channel, its words as long as they may be, and as many bytes of records as
// one report may have.
func TestTheLargestReadingFits(t *testing.T) {
	awkward := func(n int) string { return strings.Repeat(`"`, n) }
	r := typical()
	for i := range MaxChannels {
		name := fmt.Sprint(i)
		r.Logs = append(r.Logs, Logs{Channel: name + awkward(MaxChannel-len(name)), Epoch: 1, Begun: awkward(MaxIdentity),
			Why: awkward(MaxWord), Next: Cursor{1, MaxRecords, awkward(MaxPosition)}, More: true,
			Trouble: &Trouble{TroubleFailed, awkward(MaxReason)}})
	}
	for range MaxGaps {
		r.Logs[0].Gaps = append(r.Logs[0].Gaps, Gap{1, 1, math.MaxInt64, true, awkward(MaxWord)})
	}
	one := CleanRecord(Record{ID: 1, Time: r.Time, Raw: strings.Repeat("x", MaxRaw)})
	for size := one.Size(); size < MaxRecordBytes; size += one.Size() {
		r.Logs[0].Records = append(r.Logs[0].Records, one)
		one.ID++
	}
	got, err := Parse(marshal(t, r))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, r)
	r.Logs[0].Records = append(r.Logs[0].Records, one)
	if _, err := r.Marshal(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("with a record more: %v", err)
	}
}

func TestLogsThatCannotBeSent(t *testing.T) {
	for want, change := range map[string]func(*Logs){
		"the channel: it is empty":               func(l *Logs) { l.Channel = "" },
		"channel \"journal\" is there twice":     func(l *Logs) { l.Channel = Journal },
		"record 229979 comes after record 22998": func(l *Logs) { l.Records[0].ID = 229980 },
		"record 229979 comes after record 22997": func(l *Logs) { l.Records[0].ID = 229979 },
		"ids begin at 1":                         func(l *Logs) { l.Records[0].ID = 0 },
		"records, of no epoch":                   func(l *Logs) { l.Epoch, l.Next, l.Begun, l.Why = 0, Cursor{}, "", "" },
		"not to begin in the epoch":              func(l *Logs) { l.Next.Epoch++ },
		"from 0 on":                              func(l *Logs) { l.Next.Epoch = -1 },
		"begin before the last record":           func(l *Logs) { l.Next.Record = 229978 },
		"the position: it is longer":             func(l *Logs) { l.Next.Position = strings.Repeat("é", 501) },
		"the position: it holds":                 func(l *Logs) { l.Next.Position = "a\n" },
		"the identity of the epoch: it is long":  func(l *Logs) { l.Begun = strings.Repeat("x", MaxIdentity+1) },
		"and none did":                           func(l *Logs) { l.Begun = "" },
		"has no number":                          func(l *Logs) { l.Records, l.Epoch, l.Next = nil, 0, Cursor{} },
		"a gap has no epoch":                     func(l *Logs) { l.Gaps[0].Epoch = 0 },
		"ends before it begins":                  func(l *Logs) { l.Gaps[0].Last = 9 },
		"the reason of a gap":                    func(l *Logs) { l.Gaps[0].Reason = "" },
		"101 gaps are larger than allowed":       func(l *Logs) { l.Gaps = make([]Gap, MaxGaps+1) },
		"no trouble of the kind \"odd\"":         func(l *Logs) { l.Trouble = &Trouble{"odd", "x"} },
		"text of the trouble: it is empty":       func(l *Logs) { l.Trouble = &Trouble{TroubleSlow, ""} },
		"within the years 1970":                  func(l *Logs) { l.Records[1].Time = time.Time{} },
		"no level \"loud\"":                      func(l *Logs) { l.Records[1].Level = "loud" },
		"between 0 and 4294967295":               func(l *Logs) { l.Records[1].Event = 1 << 32 },
		"the user: it holds":                     func(l *Logs) { l.Records[1].User = "\x1b" },
		"the message: it holds":                  func(l *Logs) { l.Records[1].Message = "\x1b" },
		"the raw form: it is longer":             func(l *Logs) { l.Records[1].Raw = strings.Repeat("x", MaxRaw+1) },
		"the data \"n\": it holds":               func(l *Logs) { l.Records[1].Data = []Field{{"n", "\xff"}} },
		"the name of data: it holds":             func(l *Logs) { l.Records[1].Data = []Field{{"\n", ""}} },
		"201 pieces of data are larger":          func(l *Logs) { l.Records[1].Data = make([]Field, MaxFields+1) },
		"bytes are larger than allowed (262144)": func(l *Logs) { l.Records[1].Raw = strings.Repeat("\r", MaxRaw) },
		"5003 records of":                        func(l *Logs) { *l = many(MaxRecords + 2) },
	} {
		r := withLogs()
		r.Logs = r.Logs[:3]
		change(&r.Logs[0])
		if _, err := r.Marshal(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q in it", err, want)
		}
	}
	r := withLogs()
	for i := range MaxChannels {
		r.Logs = append(r.Logs, Logs{Channel: fmt.Sprint(i)})
	}
	if _, err := r.Marshal(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many channels: %v", err)
	}
}

// many returns a channel with so many short records.
func many(n int) Logs {
	l := Logs{Channel: "many", Epoch: 1, Next: Cursor{Epoch: 1, Record: int64(n)}}
	for i := range n {
		l.Records = append(l.Records, Record{ID: int64(i + 1), Time: time.Unix(0, 0).UTC()})
	}
	return l
}

func TestCleanLogs(t *testing.T) {
	l := Logs{Channel: "c", Next: Cursor{Epoch: 2, Record: 5}, Begun: "x", Why: "a\nb",
		Records: []Record{{ID: 1, Raw: "\x00"}}, Trouble: &Trouble{Kind: TroubleFailed}}
	for range MaxGaps + 3 {
		l.Gaps = append(l.Gaps, Gap{Epoch: 2, First: 1, Last: 1})
	}
	if err := l.Clean(); err != nil {
		t.Fatal(err)
	}
	last := l.Gaps[MaxGaps-1]
	if l.Epoch != 2 || l.Why != "a\ufffdb" || l.Records[0].Raw != "\ufffd" || l.Trouble.Text == "" || len(l.Gaps) != MaxGaps ||
		last.Last != 0 || !strings.Contains(last.Reason, "3 further gaps") || l.Gaps[0].Reason == "" {
		t.Errorf("got %+v", l)
	}
	l.Records = []Record{{ID: 2}, {ID: 2}}
	if err := l.Clean(); err == nil {
		t.Error("ids that stand twice can be sent")
	}
}

func TestTheDocumentMayBeOverwritten(t *testing.T) {
	document := marshal(t, withLogs())
	r, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	clear(document)
	if again := marshal(t, r); bytes.Equal(again, document) || !strings.Contains(string(again), "O'Brien") {
		t.Error("the report shares memory with the document")
	}
	same(t, r, withLogs())
}

// What a report takes when it is read is bounded by its size, whatever a host makes of it.
func TestManyAndFewDataByTurns(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, `<report xmlns="%s" version="1" visit="v" host="h" client="c" os="linux" arch="amd64" hostname="x" time="2026-01-01T00:00:00Z">`+
		`<statistics/><failures/><logs><log channel="a" epoch="1" record="2000">`, Namespace)
	for i := range 2000 {
		fmt.Fprintf(&b, `<record id="%d" time="2026-01-01T00:00:00Z">%s</record>`, i+1, strings.Repeat("<data/>", 1+i%2*(MaxFields-1)))
	}
	b.WriteString(`</log></logs></report>`)
	r, err := Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	room := 0
	for i := range r.Logs[0].Records {
		room += cap(r.Logs[0].Records[i].Data)
	}
	if most := 2 * 1000 * (MaxFields + 1); room > most {
		t.Errorf("there is room for %d data, want at most %d", room, most)
	}
}
