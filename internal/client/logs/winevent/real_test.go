package winevent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"muster/internal/report"
)

// Every real event is read completely, and as another reader of XML reads it.
func TestRealEvents(t *testing.T) {
	for _, test := range []struct {
		file  string
		count int
	}{{"security.xml", 200}, {"other.xml", 31}, {"evtrender-genuine.xml", 50}} {
		t.Run(test.file, func(t *testing.T) {
			events := eventsOf(t, test.file)
			if len(events) != test.count {
				t.Fatalf("%d events, want %d", len(events), test.count)
			}
			for i, document := range events {
				want, err := otherwise([]byte(document))
				if err != nil {
					t.Fatal(err)
				}
				got, err := ParseEvent([]byte(document))
				if err != nil {
					t.Errorf("event %d: %v", i, err)
				}
				same(t, got, want)
				if t.Failed() {
					t.Fatalf("event %d: %s", i, document)
				}
				if got.Altered || got.ID < 1 || got.Record.Event < 1 || got.Time.Year() < 2000 || got.Level == "" || got.Source == "" {
					t.Errorf("event %d: %+v", i, got)
				}
			}
		})
	}
}

// The tables beside the events were made by somebody else: ids, channel, and the number of each.
func TestRealEventsHaveTheirIDs(t *testing.T) {
	for _, name := range []string{"security", "other"} {
		events := eventsOf(t, name+".xml")
		table, err := os.ReadFile(filepath.Join(folder(t), name+".tsv"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(table)), "\n")
		if len(lines) != len(events) {
			t.Fatalf("%d lines for %d events", len(lines), len(events))
		}
		for i, line := range lines {
			columns := strings.Split(line, "\t")
			got, err := ParseEvent([]byte(events[i]))
			if err != nil {
				t.Fatal(err)
			}
			if strconv.FormatInt(got.Record.Event, 10) != columns[1] || got.Channel != columns[2] ||
				strconv.FormatInt(got.ID, 10) != columns[5] {
				t.Errorf("%s %d: event %d, channel %s, record %d, want %v", name, i, got.Record.Event, got.Channel, got.ID, columns)
			}
		}
	}
}

// A record whose strings hold U+0003 is read, but for those characters, and says so.
func TestRealEventWithForbiddenCharacters(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(folder(t), "illformed-4739.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree(document); err == nil {
		t.Fatal("encoding/xml takes what this test is about")
	}
	got, err := ParseEvent(document)
	if err != nil {
		t.Fatal(err)
	}
	cleaned := strings.ReplaceAll(string(document), "\x03", "\uFFFD")
	want, err := otherwise([]byte(cleaned))
	if err != nil {
		t.Fatal(err)
	}
	want.Altered = true
	same(t, got, want)
	if got.ID != 55 || got.Record.Event != 4739 || len(got.Data) != 21 || !strings.Contains(got.Raw, "\uFFFD") {
		t.Errorf("%+v", got)
	}
}

// The same events as Windows has them, in UTF-16, are the same.
func TestRealEventsInUTF16(t *testing.T) {
	for _, document := range append(eventsOf(t, "security.xml"), eventsOf(t, "other.xml")...) {
		want, err := Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseUTF16(append(utf16Of(document), 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		same(t, Event{Record: got}, Event{Record: want})
	}
}

func BenchmarkParse(b *testing.B) {
	var events [][]byte
	size := 0
	for _, document := range append(eventsOf(b, "security.xml"), eventsOf(b, "other.xml")...) {
		events = append(events, []byte(document))
		size += len(document)
	}
	b.SetBytes(int64(size / len(events)))
	b.ReportAllocs()
	b.ResetTimer()
	var r report.Record
	for i := range b.N {
		var err error
		if r, err = Parse(events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	_ = r
}

func BenchmarkParseUTF16(b *testing.B) {
	var events [][]uint16
	for _, document := range append(eventsOf(b, "security.xml"), eventsOf(b, "other.xml")...) {
		events = append(events, utf16Of(document))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := ParseUTF16(events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// The same by way of encoding/xml, for comparison.
func BenchmarkEncodingXML(b *testing.B) {
	events := append(eventsOf(b, "security.xml"), eventsOf(b, "other.xml")...)
	b.ResetTimer()
	for i := range b.N {
		if _, err := otherwise([]byte(events[i%len(events)])); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
