package winevent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"muster/internal/report"
)

func utf16Of(text string) []uint16 { return utf16.Encode([]rune(text)) }

const system = `<System><Provider Name='Muster-Test' Guid='{1}'/><EventID Qualifiers='16384'>7036</EventID><Version>0</Version>` +
	`<Level>4</Level><Keywords>0x8080000000000000</Keywords><TimeCreated SystemTime='2026-03-14T15:09:26.5358979Z'/>` +
	`<EventRecordID>42</EventRecordID><Correlation/><Execution ProcessID='640' ThreadID='7'/><Channel>System</Channel>` +
	`<Computer>dc1.corp.example</Computer><Security UserID='S-1-5-18'/></System>`

func event(rest string) string {
	return `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>` + system + rest + `</Event>`
}

// fixture is an event by hand, and the fields that it has.
type fixture struct {
	name, document string
	data           []report.Field
}

func fixtures() []fixture {
	long := strings.Repeat("Zürich & Köln <東京> \U0001F600\n", 4000)
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(long)
	return []fixture{
		{"no data", event(``), nil},
		{"empty data", event(`<EventData/>`), nil},
		{"named", event(`<EventData><Data Name='a'>1</Data><Data Name="b">2</Data></EventData>`), []report.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}},
		{"unnamed, empty and binary", event(`<EventData><Data>x</Data><Data></Data><Data/><Binary>0A0B</Binary></EventData>`),
			[]report.Field{{Value: "x"}, {}, {}, {Name: "Binary", Value: "0A0B"}}},
		{"quotes in quotes", event(`<EventData Name="k"><Data Name='a"b'>'"</Data><Data Name="c'd">x</Data></EventData>`),
			[]report.Field{{Name: `a"b`, Value: `'"`}, {Name: "c'd", Value: "x"}}},
		{"entities", event(`<EventData><Data Name='a&amp;b'>&lt;x y=&quot;1&quot;&gt; &apos;&#65;&#x42;&#13;&#10;&#x1F600;</Data></EventData>`),
			[]report.Field{{Name: "a&b", Value: "<x y=\"1\"> 'AB\r\n\U0001F600"}}},
		{"line ends", event("<EventData><Data Name='a'>one\r\ntwo\rthree\nfour</Data></EventData>"), []report.Field{{Name: "a", Value: "one\ntwo\nthree\nfour"}}},
		{"white space kept", event("<EventData><Data Name='a'>  \t </Data><Data Name='b'> x </Data></EventData>"), []report.Field{{Name: "a", Value: "  \t "}, {Name: "b", Value: " x "}}},
		{"CDATA and comments", event(`<EventData><!-- <Data>no</Data> --><Data Name='a'>1<![CDATA[<&]]>2<!-- - -->3<?p i?>4</Data></EventData>`), []report.Field{{Name: "a", Value: "1<&234"}}},
		{"nested", event(`<EventData><ComplexData Name='c'><x>1</x><y><z>2</z></y></ComplexData><Data Name='d'>t<i>3</i>u</Data></EventData>`),
			[]report.Field{{Name: "c.x", Value: "1"}, {Name: "c.y.z", Value: "2"}, {Name: "d.i", Value: "3"}, {Name: "d", Value: "tu"}}},
		{"user data", event("<UserData>\n<LogFileCleared xmlns='http://manifests.microsoft.com/x' xmlns:q='y'>\n <SubjectUserName>eve</SubjectUserName>\n" +
			" <Outer><Inner>1</Inner><Inner>2</Inner></Outer><Error Code='15007'></Error><None/></LogFileCleared></UserData>"),
			[]report.Field{{Name: "SubjectUserName", Value: "eve"}, {Name: "Outer.Inner", Value: "1"}, {Name: "Outer.Inner", Value: "2"}, {Name: "Error.Code", Value: "15007"}, {Name: "None"}}},
		{"user data of text alone", event(`<UserData><Said>hello</Said></UserData>`), []report.Field{{Name: "Said", Value: "hello"}}},
		{"user data with attributes", event(`<UserData><E q:id='7' xmlns:q='u'/></UserData>`), []report.Field{{Name: "id", Value: "7"}}},
		{"prefixes", strings.NewReplacer("</", "</e:", "<", "<e:", "xmlns", "xmlns:e").Replace(event(`<EventData><Data Name='a'>1</Data></EventData>`)), []report.Field{{Name: "a", Value: "1"}}},
		{"other sections", event(`<BinaryEventData>00FF</BinaryEventData><ProcessingErrorData><ErrorCode>15003</ErrorCode><DataItemName>x</DataItemName>` +
			`<EventPayload>0102</EventPayload></ProcessingErrorData><DebugData><SequenceNumber>1</SequenceNumber></DebugData>`),
			[]report.Field{{Name: "BinaryEventData", Value: "00FF"}, {Name: "ProcessingErrorData.ErrorCode", Value: "15003"},
				{Name: "ProcessingErrorData.DataItemName", Value: "x"}, {Name: "ProcessingErrorData.EventPayload", Value: "0102"}, {Name: "DebugData.SequenceNumber", Value: "1"}}},
		{"long", event(`<EventData><Data Name='long'>` + escaped + `</Data></EventData>`), []report.Field{{Name: "long", Value: long}}},
		{"laid out", "\uFEFF<?xml version='1.0' encoding='utf-8'?>\r\n<!-- x -->\r\n" + strings.ReplaceAll(event("<EventData>\r\n</EventData >\r\n"), "><", ">\r\n  <") + "\r\n", nil},
	}
}

func TestFixtures(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			want := Event{Channel: "System", Record: report.Record{
				ID: 42, Time: time.Date(2026, 3, 14, 15, 9, 26, 535897900, time.UTC), Level: report.Information, Event: 7036,
				Source: "Muster-Test", Computer: "dc1.corp.example", User: "S-1-5-18", Process: 640, Keywords: "0x8080000000000000",
				Data: f.data, Raw: f.document,
			}}
			got, err := ParseEvent([]byte(f.document))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
			got.Record, err = ParseUTF16(append(utf16Of(f.document), 0))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
			other, err := otherwise([]byte(strings.TrimPrefix(f.document, "\uFEFF")))
			if err != nil {
				t.Fatal(err)
			}
			other.Raw = f.document
			same(t, other, want)
		})
	}
}

func TestRenderingInfo(t *testing.T) {
	document := event("<EventData><Data>1</Data></EventData><RenderingInfo Culture='de-DE'><Message>Der Dienst „x“ befindet sich jetzt im Status\r\n&quot;beendet&quot;.</Message>" +
		"<Level>Informationen</Level><Task></Task><Opcode>Info</Opcode><Channel>System</Channel><Provider>Dienst</Provider>" +
		"<Keywords><Keyword>Klassisch</Keyword><Keyword> </Keyword><Keyword>Überwachung erfolgreich</Keyword></Keywords></RenderingInfo>")
	r, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if r.Message != "Der Dienst „x“ befindet sich jetzt im Status\n\"beendet\"." || r.Keywords != "Klassisch; Überwachung erfolgreich" ||
		r.Level != report.Information || len(r.Data) != 1 || r.Altered {
		t.Errorf("%+v", r)
	}
}

func TestLevels(t *testing.T) {
	for _, test := range []struct {
		level, keywords, rendered string
		want                      report.Level
	}{
		{"0", "0x0", "", report.Information},
		{"4", "0x8000000000000000", "", report.Information},
		{"1", "0x0", "", report.Critical},
		{"2", "0x0", "", report.Error},
		{"3", "0x0", "", report.Warning},
		{"5", "0x0", "", report.Verbose},
		{"0", "0x8010000000000000", "", report.AuditFailure},
		{"0", "0x8020000000000000", "", report.AuditSuccess},
		{"4", "0x4020000000000000", "", report.AuditSuccess},
		{"0", "0x8030000000000000", "", report.AuditFailure},
		{"2", "0x4020000000000000", "", report.Error},
		{"0", "", "", report.Information},
		{"0", "nonsense", "", report.Information},
		{"17", "0x0", "Error", report.Error},
		{"17", "0x0", "Fehler", ""},
		{"", "0x0", "Warning", report.Warning},
		{"", "0x8010000000000000", "", report.AuditFailure},
		{"", "", "", ""},
	} {
		document := fmt.Sprintf(`<Event><System><Level>%s</Level><Keywords>%s</Keywords><EventRecordID>1</EventRecordID></System>`+
			`<RenderingInfo><Level>%s</Level></RenderingInfo></Event>`, test.level, test.keywords, test.rendered)
		if r, err := Parse([]byte(document)); err != nil || r.Level != test.want {
			t.Errorf("level %q, keywords %q, rendered %q: %q (%v), want %q", test.level, test.keywords, test.rendered, r.Level, err, test.want)
		}
	}
}

func TestOldProvidersHaveAnotherName(t *testing.T) {
	r, err := Parse([]byte(`<Event><System><Provider Name='' EventSourceName='Old'/><EventRecordID> 9 </EventRecordID></System></Event>`))
	if err != nil || r.Source != "Old" || r.ID != 9 || !r.Time.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

// What XML forbids costs its own place and no more.
func TestForbiddenCharacters(t *testing.T) {
	for _, test := range []struct{ name, in, want, raw string }{
		{"control", "a\x03b", "a\uFFFDb", "a\uFFFDb"},
		{"NUL inside", "a\x00b", "a\uFFFDb", "a\uFFFDb"},
		{"referred to", "a&#x3;b&#0;", "a\uFFFDb\uFFFD", "a&#x3;b&#0;"},
		{"half of a pair referred to", "&#xD800;", "\uFFFD", "&#xD800;"},
		{"beyond Unicode", "&#x110000;&#99999999999;", "\uFFFD\uFFFD", "&#x110000;&#99999999999;"},
		{"no character", "\uFFFE\uFFFF", "\uFFFD\uFFFD", "\uFFFD\uFFFD"},
		{"not UTF-8", "\xff\xc3", "\uFFFD\uFFFD", "\uFFFD\uFFFD"},
		{"half of a pair", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", "\uFFFD\uFFFD\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := Parse([]byte(event("<EventData><Data Name='a'>" + test.in + "</Data><Data Name='b" + test.in + "'>2</Data></EventData>")))
			if err != nil || !r.Altered {
				t.Errorf("altered %v, error %v", r.Altered, err)
			}
			want := []report.Field{{Name: "a", Value: test.want}, {Name: "b" + test.want, Value: "2"}}
			if len(r.Data) != 2 || r.Data[0] != want[0] || r.Data[1] != want[1] {
				t.Errorf("%q, want %q", r.Data, want)
			}
			if !strings.Contains(r.Raw, "<Data Name='a'>"+test.raw+"</Data>") {
				t.Errorf("raw: %q", r.Raw)
			}
		})
	}
	t.Run("halves in UTF-16", func(t *testing.T) {
		text := utf16Of(event("<EventData><Data>x1y2\U0001F600z3</Data></EventData>"))
		for i, c := range text {
			switch c {
			case '1', '2', '3':
				if i > len(text)-60 {
					text[i] = []uint16{0xD800, 0xDC00, 0xDBFF}[c-'1']
				}
			}
		}
		r, err := ParseUTF16(text)
		if err != nil || !r.Altered || r.Data[0].Value != "x\uFFFDy\uFFFD\U0001F600z\uFFFD" {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("U+FFFD is a character", func(t *testing.T) {
		if r, err := Parse([]byte(event("<EventData><Data>\uFFFD</Data></EventData>"))); err != nil || r.Altered {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Malformed XML is read as far as it makes sense; the record is marked, and the error says where.
func TestMalformed(t *testing.T) {
	for _, test := range []struct {
		name, rest, problem string
		data                []report.Field
	}{
		{"ampersand", `<EventData><Data Name='a'>R&D & &x; &</Data></EventData></Event>`, "begins no reference", []report.Field{{Name: "a", Value: "R&D & &x; &"}}},
		{"less than", `<EventData><Data Name='a'>1 < 2 <</Data></EventData></Event>`, "begins no element", []report.Field{{Name: "a", Value: "1 < 2 <"}}},
		{"ampersand in a name", `<EventData><Data Name='a&b'>1</Data></EventData></Event>`, "begins no reference", []report.Field{{Name: "a&b", Value: "1"}}},
		{"less than in a name", `<EventData><Data Name='a<b'>1</Data></EventData></Event>`, `"<" in the value`, []report.Field{{Name: "a<b", Value: "1"}}},
		{"cut", `<EventData><Data Name='a'>1</Data><Data Name='b'>tw`, "ends inside", []report.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "tw"}}},
		{"cut in a tag", `<EventData><Data Name='a'>1</Data><Data Na`, "has no value", []report.Field{{Name: "a", Value: "1"}, {}}},
		{"cut in an attribute", `<EventData><Data Name='a'>1</Data><Data Name='b`, "has no end", []report.Field{{Name: "a", Value: "1"}, {}}},
		{"end missing", `<EventData><Data Name='a'>1</EventData><BinaryEventData>2</BinaryEventData></Event>`, "too", []report.Field{{Name: "a", Value: "1"}, {Name: "BinaryEventData", Value: "2"}}},
		{"end of nothing", `<EventData></Nothing><Data Name='a'>1</Data></EventData></Event>`, "ends nothing", []report.Field{{Name: "a", Value: "1"}}},
		{"no quotes", `<EventData><Data Name=a>1</Data></EventData></Event>`, "not quoted", []report.Field{{Value: "1"}}},
		{"comment without end", `<EventData><Data>1</Data><!-- </EventData></Event>`, "-->", []report.Field{{Value: "1"}}},
		{"CDATA without end", `<EventData><Data><![CDATA[x</Data></EventData></Event>`, "]]>", []report.Field{{Value: "x</Data></EventData></Event>"}}},
		{"document type", `<!DOCTYPE x><EventData><Data>&x;</Data></EventData></Event>`, "document types", []report.Field{{Value: "&x;"}}},
		{"something behind it", `</Event><Event/>`, "follows", nil},
		{"too deep", `<UserData>` + strings.Repeat("<a>", 100) + "x" + strings.Repeat("</a>", 100) + `</UserData></Event>`, "deeper",
			[]report.Field{{Name: strings.TrimSuffix(strings.Repeat("a.", maxDepth-2), ".")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			document := strings.TrimSuffix(event(""), "</Event>") + test.rest
			r, err := Parse([]byte(document))
			if err == nil || !strings.Contains(err.Error(), test.problem) || !strings.HasPrefix(err.Error(), "event XML, byte ") || errors.Is(err, ErrNoRecord) {
				t.Errorf("error %v, want one that says %q", err, test.problem)
			}
			if r.ID != 42 || r.Source != "Muster-Test" || !r.Altered || r.Raw != document {
				t.Errorf("%+v", r)
			}
			if fmt.Sprintf("%q", r.Data) != fmt.Sprintf("%q", test.data) {
				t.Errorf("fields %q, want %q", r.Data, test.data)
			}
		})
	}
}

// Numbers and times that are none are noted, and left out.
func TestMalformedValues(t *testing.T) {
	for _, change := range [][2]string{
		{">7036<", ">x<"}, {">7036<", ">-1<"}, {"'640'", "'0x280'"}, {"2026-03-14T15", "2026-03-14 15"}, {">7036<", ">99999999999999999999<"},
	} {
		document := strings.Replace(event(""), change[0], change[1], 1)
		r, err := Parse([]byte(document))
		if err == nil || r.ID != 42 || !r.Altered || r.Event != 0 && r.Process != 0 && !r.Time.IsZero() {
			t.Errorf("%s: %+v, %v", change[1], r, err)
		}
	}
}

// What stands twice counts the first time: a text that broke out of its element comes later.
func TestFirstCounts(t *testing.T) {
	r, err := Parse([]byte(event("<System><EventRecordID>7</EventRecordID><EventID>1</EventID><Computer>evil</Computer><Level>1</Level></System>")))
	if err != nil || r.ID != 42 || r.Event != 7036 || r.Computer != "dc1.corp.example" || r.Level != report.Information {
		t.Errorf("%+v, %v", r, err)
	}
}

// Where the section System can't be read, the id is found all the same.
func TestRescue(t *testing.T) {
	document := strings.Replace(event("<EventData><Data>&lt;EventRecordID>7&lt;/EventRecordID></Data></EventData>"), "<System>", "<System x='", 1)
	r, err := Parse([]byte(document))
	if err == nil || r.ID != 42 || !r.Altered || r.Raw != document {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestNoRecord(t *testing.T) {
	for _, document := range []string{
		"", "\x00", " ", "x", "<", "<a", "<Event/>", "<Events>" + event("") + "</Events>", "<Event><System/></Event>",
		"<Event><System><EventRecordID>0</EventRecordID></System></Event>",
		"<Event><System><EventRecordID>-5</EventRecordID></System></Event>",
		"<Event><EventData><Data>&lt;EventRecordID>7&lt;/EventRecordID></Data>",
		"<Event><EventRecordID>5</EventRecordID></Event>",
	} {
		r, err := Parse([]byte(document))
		if strings.HasPrefix(document, "<Events>") {
			// The id of an event inside something else is found; that it is no event is said.
			if err == nil || r.ID != 42 || !r.Altered {
				t.Errorf("%q: %+v, %v", document, r, err)
			}
			continue
		}
		if !errors.Is(err, ErrNoRecord) || r.ID != 0 || r.Raw != "" {
			t.Errorf("%q: %+v, %v", document, r, err)
		}
	}
}

// What a record needs of memory grows with its XML, not with the square of it.
func TestNamesAreBounded(t *testing.T) {
	name := strings.Repeat("n", 60<<10)
	r, err := Parse([]byte(event("<UserData><k><" + name + ">" + strings.Repeat("<a/>", 10000) + "</" + name + "></k></UserData>")))
	if err != nil || !r.Altered || len(r.Data) != 10000 {
		t.Fatalf("altered %v, %d fields, %v", r.Altered, len(r.Data), err)
	}
	total := 0
	for _, f := range r.Data[1:] {
		if f.Name != r.Data[0].Name {
			total += len(f.Name)
		}
	}
	if total > 1<<20 {
		t.Errorf("%d bytes of names", total)
	}
}

// FuzzParse: what encoding/xml reads is read, and alike; nothing panics, whatever it is; a record is valid in any case.
func FuzzParse(f *testing.F) {
	for _, fixture := range fixtures() {
		if len(fixture.document) < 4096 {
			f.Add([]byte(fixture.document))
			f.Add([]byte(fixture.document[:len(fixture.document)*2/3]))
		}
	}
	f.Add([]byte(event("<EventData><Data>&#3;&#xFFFE; a\x03 & < ]]></Data></EventData><RenderingInfo><Message>x</Message></RenderingInfo>")))
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := ParseEvent(document)
		switch {
		case got.ID < 0, got.ID == 0 && !errors.Is(err, ErrNoRecord), got.ID > 0 && errors.Is(err, ErrNoRecord):
			t.Fatalf("id %d, error %v", got.ID, err)
		case err != nil && got.ID > 0 && !got.Altered:
			t.Fatalf("%v, and it is not marked", err)
		}
		for _, field := range append(got.Data, report.Field{Name: got.Raw, Value: got.Message}) {
			if forbidden([]byte(field.Name+field.Value)) >= 0 {
				t.Fatalf("%q holds what XML forbids", field)
			}
		}
		if utf8.Valid(document) && got.ID > 0 && !got.Altered && got.Raw != strings.TrimRight(string(document), "\x00") {
			t.Fatalf("the raw form is another: %q", got.Raw)
		}
		want, unlike := otherwise(document)
		if unlike != nil {
			return
		}
		if want.ID == 0 {
			if got.ID != 0 {
				t.Fatalf("id %d where there is none", got.ID)
			}
			return
		}
		if got.Altered || err != nil {
			t.Fatalf("encoding/xml reads it: altered %v, %v", got.Altered, err)
		}
		same(t, got, want)
	})
}
