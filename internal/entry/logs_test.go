package entry_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/internal/entry"
	"muster/internal/report"
)

func someLogs() *entry.Logs {
	return &entry.Logs{
		Visit: "0123", Part: 3, Sweep: at, Host: "web1", Groups: "web/front", Read: at.Add(time.Second),
		Channels: []report.Logs{
			{
				Channel: "Security", Epoch: math.MaxInt64, Begun: "identity", Why: "the log was cleared", More: true,
				Records: []report.Record{
					{
						ID: 41, Time: at, Level: report.AuditFailure, Event: 4625, Source: "Auditing", Computer: "wëb1", User: "S-1-5-18",
						Process: 620, Keywords: "Audit Failure", Message: "two\r\nlines\x00\xff", Raw: "<Event>\r\n</Event>", Altered: true,
						Data: []report.Field{{Name: "TargetUserName", Value: "ann"}, {Value: "\u202e"}, {}},
					},
					{ID: math.MaxInt64, Time: time.Time{}, Event: -1, Process: math.MinInt64},
					{ID: math.MinInt64, Time: time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC)},
				},
				Gaps: []report.Gap{{Epoch: 7, First: 1, Last: 40, Possible: true, Reason: "rotated away"}},
				Next: report.Cursor{Epoch: 7, Record: 43, Position: "bookmark\n"},
			},
			{Channel: "System", Trouble: &report.Trouble{Kind: report.TroubleDenied, Text: "access is denied"}},
			{Channel: "journal", Epoch: 1, Records: []report.Record{{ID: 1, Time: at.UTC()}}},
		},
	}
}

// event is a record as large as most of the Security log.
func event(id int64) report.Record {
	r := report.Record{
		ID: id, Time: at, Level: report.AuditSuccess, Event: 4624, Source: "Microsoft-Windows-Security-Auditing", Computer: "dc1.example.org",
		Keywords: "Audit Success", Raw: strings.Repeat("<Data Name='x'>y</Data>", 65),
	}
	for i := range 26 {
		r.Data = append(r.Data, report.Field{Name: fmt.Sprintf("TargetName%d", i), Value: fmt.Sprint("value ", i)})
	}
	return r
}

func TestLogsComeBackAsTheyWere(t *testing.T) {
	for name, l := range map[string]*entry.Logs{
		"full": someLogs(), "empty": {Visit: "v", Host: "h"}, "without records": {Visit: "v", Host: "h", Channels: []report.Logs{{Channel: "c"}}},
	} {
		data, err := entry.EncodeLogs(l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := entry.DecodeLogs(data)
		if err != nil || len(got.Channels) != len(l.Channels) {
			t.Fatalf("%s: got %+v, %v", name, got, err)
		}
		if len(l.Channels) == 0 {
			got.Channels = l.Channels
		}
		if !reflect.DeepEqual(got, l) {
			t.Errorf("%s: got\n%+v, want\n%+v", name, got, l)
		}
	}
	if l := someLogs(); len(l.Channels[0].Records) != 3 {
		t.Error("encoding changed the logs")
	}
}

func TestEveryFieldOfLogsTravels(t *testing.T) {
	l := someLogs()
	for _, v := range []any{*l, l.Channels[0].Records[0], l.Channels[0].Gaps[0], l.Channels[0].Next} {
		for i := range reflect.TypeOf(v).NumField() {
			if reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("no test has the field %s of %T", reflect.TypeOf(v).Field(i).Name, v)
			}
		}
	}
}

func TestWhatAreNoLogsIsRefused(t *testing.T) {
	good, err := entry.EncodeLogs(someLogs())
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(good) {
		if _, err := entry.DecodeLogs(good[:cut]); !errors.Is(err, entry.ErrUnreadable) {
			t.Fatalf("%d of %d bytes are read: %v", cut, len(good), err)
		}
	}
	many := append([]byte{1, 44}, `{"Visit":"v","Host":"h","Channels":[{},{}]} `...)
	for name, data := range map[string][]byte{
		"more": append(bytes.Clone(good), 0), "no host": {1, 2, '{', '}'}, "newer": append([]byte{2}, good[1:]...),
		"so many records that there is no room": append(bytes.Clone(many), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0),
	} {
		if _, err := entry.DecodeLogs(data); !errors.Is(err, entry.ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheFormOfLogsIsKept compares with an entry that an earlier program wrote.
func TestTheFormOfLogsIsKept(t *testing.T) {
	file := filepath.Join("testdata", "logs-1.entry")
	written, err := entry.EncodeLogs(someLogs())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := entry.DecodeLogs(kept); err != nil || !reflect.DeepEqual(got, someLogs()) {
		t.Errorf("%s is read as\n%+v, %v", file, got, err)
	}
	if !bytes.Equal(written, kept) {
		t.Errorf("%s would be written as\n%q, and is\n%q", file, written, kept)
	}
}

func FuzzDecodeLogs(f *testing.F) {
	data, err := entry.EncodeLogs(someLogs())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := entry.DecodeLogs(data)
		if err != nil {
			if !errors.Is(err, entry.ErrUnreadable) {
				t.Fatal(err)
			}
			return
		}
		again, err := entry.EncodeLogs(l)
		if err != nil {
			t.Fatal(err)
		}
		read, err := entry.DecodeLogs(again)
		if err != nil {
			t.Fatalf("what was read and written can't be read: %v", err)
		}
		if third, err := entry.EncodeLogs(read); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("written\n%q, %v, and before\n%q", third, err, again)
		}
	})
}

// BenchmarkLogs is of 1,500 records with 1.5 kB of XML each.
func BenchmarkLogs(b *testing.B) {
	l := &entry.Logs{Visit: "v", Host: "h", Sweep: at, Read: at, Channels: []report.Logs{{Channel: "Security", Epoch: 1}}}
	for i := range 1500 {
		l.Channels[0].Records = append(l.Channels[0].Records, event(int64(i+1)))
	}
	data, err := entry.EncodeLogs(l)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := entry.EncodeLogs(l); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1500), "ns/record")
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := entry.DecodeLogs(data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1500), "ns/record")
	})
}
