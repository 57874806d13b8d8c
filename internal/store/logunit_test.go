package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"muster/internal/report"
)

func TestFieldsComeBackAsTheyWere(t *testing.T) {
	named := func(names ...string) (fields []report.Field) {
		for i, name := range names {
			fields = append(fields, report.Field{Name: name, Value: fmt.Sprint(i)})
		}
		return fields
	}
	for _, c := range []struct {
		fields []report.Field
		want   string
	}{
		{nil, `{}`},
		{named("a", "b"), `{"a":"0","b":"1"}`},
		{named("", "", ""), `{"":["0","1","2"]}`},
		{named("a", "", "", "b"), `{"a":"0","":["1","2"],"b":"3"}`},
		{named("b", "a", "a"), `{"b":"0","a":["1","2"]}`},
		{named("a", "b", "a"), `[["a","0"],["b","1"],["a","2"]]`},
		{named("1", "2", "3", "4", "5", "6", "7", "8", "9", "9"), `{"1":"0","2":"1","3":"2","4":"3","5":"4","6":"5","7":"6","8":"7","9":["8","9"]}`},
		{[]report.Field{{Name: "\"\\\n\r\t\x01\x7fé😀<&>", Value: "/"}}, "{\"\\\"\\\\\\n\\r\\t\\u0001\x7fé😀<&>\":\"/\"}"},
	} {
		text, altered := encodeFields(c.fields)
		if text != c.want || altered || !json.Valid([]byte(text)) {
			t.Errorf("%v is written as %s, want %s; altered: %v", c.fields, text, c.want, altered)
		}
		if got, err := decodeFields(text); err != nil || !slices.Equal(got, c.fields) {
			t.Errorf("%s is read as %v, %v; want %v", text, got, err, c.fields)
		}
	}
	long := named("1", "2", "3", "4", "5", "6", "7", "8", "9", "1") // as few are compared otherwise than many
	if text, _ := encodeFields(long); !strings.HasPrefix(text, "[[") {
		t.Errorf("%v is written as %s", long, text)
	}
	for _, bad := range []string{"", "x", "null", "3", "{", `{"a":1}`, `{"a":{}}`, `{"a":["b"`, `[["a"]`, `{"a":[1]}`} {
		if got, err := decodeFields(bad); err == nil && len(got) > 0 {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestFieldsAreBounded(t *testing.T) {
	var many []report.Field
	for i := range 200 {
		many = append(many, report.Field{Name: fmt.Sprint("n", i), Value: strings.Repeat("é", 1<<13)})
	}
	text, altered := encodeFields(many)
	if len(text) > maxData+8*len(many) || len(text) < maxData-1000 || !altered || !json.Valid([]byte(text)) {
		t.Errorf("%d bytes, altered: %v", len(text), altered)
	}
	if _, altered := encodeFields([]report.Field{{Name: "a", Value: "\x00"}}); !altered {
		t.Error("nobody is told of a NUL that was taken out")
	}
}

func FuzzFields(f *testing.F) {
	f.Add("a", "1", "b", "2", "a", "3")
	f.Add("", "\x00\xff", "", "\"\\", "x", "")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string) {
		fields := []report.Field{{Name: a, Value: b}, {Name: c, Value: d}, {Name: e, Value: g}}
		text, altered := encodeFields(fields)
		got, err := decodeFields(text)
		if err != nil {
			t.Fatalf("%q can't be read: %v", text, err)
		}
		if !altered && !slices.Equal(got, fields) {
			t.Errorf("%q became %q by %s", fields, got, text)
		}
		if again, _ := encodeFields(got); again != text {
			t.Errorf("%s is written as %s", text, again)
		}
	})
}

func TestLogChunks(t *testing.T) {
	rows := make([]logRow, 1000)
	for i := range rows {
		rows[i].RecordID = int64(i)
		if i%3 == 0 {
			rows[i].Raw, rows[i].Data = strings.Repeat("x", maxLogRaw), strings.Repeat("x", maxData)
		}
	}
	next := 0
	for chunk := range logChunks(rows) {
		size := 0
		for _, row := range chunk {
			if row.RecordID != int64(next) {
				t.Fatalf("row %d comes where row %d should", row.RecordID, next)
			}
			next++
			size += len(row.Raw) + len(row.Data)
		}
		if len(chunk) == 0 || len(chunk) > rowsMax || size > bytesMax+maxLogRaw+maxData {
			t.Errorf("a statement of %d rows has %d bytes", len(chunk), size)
		}
	}
	if next != len(rows) {
		t.Errorf("%d rows came, want %d", next, len(rows))
	}
}

// TestHalvesAreAllThereIs halves logs down to what can't be halved: nothing is lost, and a cursor comes with the last of
// its records.
func TestHalvesAreAllThereIs(t *testing.T) {
	whole := part("web1", "a", noon(), 1, 7, lineRecord)
	whole.Channels = append(whole.Channels, part("web1", "b", noon(), 1, 1, lineRecord).Channels...)
	whole.Channels[0].Gaps = []report.Gap{{First: 9}}
	last := make(map[string]int64)
	records, gaps := 0, 0
	var down func([]Logs)
	down = func(logs []Logs) {
		if first, second, ok := halve(logs); ok {
			down(first)
			down(second)
			return
		}
		for _, l := range logs {
			for _, c := range l.Channels {
				records += len(c.Records)
				gaps += len(c.Gaps)
				for _, r := range c.Records {
					last[c.Channel] = r.ID
				}
				if c.Next.Epoch != 0 && c.Next.Record != last[c.Channel] {
					t.Errorf("the cursor of %s is at %d after record %d", c.Channel, c.Next.Record, last[c.Channel])
				}
			}
		}
	}
	down([]Logs{whole, part("web2", "a", noon(), 1, 2, lineRecord), {Visit: "v", Host: "h"}})
	if records != 10 || gaps != 1 || last["a"] != 2 || last["b"] != 1 {
		t.Errorf("%d records, %d gaps, last %v", records, gaps, last)
	}
}

func TestPatternsAreLikeThemselves(t *testing.T) {
	if got := escapeLike("100%_!\\'"); got != "100!%!_!!\\'" {
		t.Errorf("got %s", got)
	}
}

// BenchmarkLogBatch is the part of SaveLogs before the database.
func BenchmarkLogBatch(b *testing.B) {
	logs := []Logs{part("dc1", "Security", noon(), 1, 5000, securityRecord)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newLogBatch(logs, logonOf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*5000), "ns/record")
}
