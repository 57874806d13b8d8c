package entry_test

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"muster/internal/entry"
	"muster/internal/report"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func full() *entry.Visit {
	return &entry.Visit{
		ID: "0123", Sweep: at, Host: "web1", Groups: "web/front", Address: "10.0.0.1:22", Started: at.Add(time.Second),
		Took: 31 * time.Millisecond, Sent: 4096, Received: 8192, Uploaded: true, Log: "two\nlines\x00 and \u202e",
		Stages: map[string]time.Duration{"dial": 3, "run": 1 << 40},
		Report: &report.Report{
			Visit: "0123", Host: "web1", Client: "1.2", OS: "linux", Arch: "amd64", Hostname: "wëb1", Time: at,
			Statistics: []report.Statistic{
				{Name: "cpu.usage", Unit: "%", Kind: report.Gauge, Value: 12.5},
				{Name: "disk.read", Instance: "sd\n a", Unit: "B", Kind: report.Counter, Value: math.MaxFloat64},
				{Name: "disk.read.rate", Instance: "", Unit: "B/s", Kind: report.Gauge, Value: -0.1},
			},
			Failures: []report.Failure{{Source: "disks", Reason: "did not answer"}},
		},
	}
}

func failed() *entry.Visit {
	return &entry.Visit{
		ID: "4567", Sweep: at, Host: "db", Started: at, Stage: "dial", Kind: "refused", Error: "connection refused",
		Advice: "check", Skipped: true,
	}
}

func TestVisitsComeBackAsTheyWere(t *testing.T) {
	for _, v := range []*entry.Visit{full(), failed()} {
		data, err := entry.EncodeVisit(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := entry.DecodeVisit(data)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("got\n%+v, %v; want\n%+v", got, err, v)
		}
	}
	if v := full(); len(v.Report.Statistics) != 3 {
		t.Fatal("encoding changed the visit")
	}
}

func TestEveryFieldOfAVisitTravels(t *testing.T) {
	v := reflect.ValueOf(*full())
	f := reflect.ValueOf(*failed())
	for i := range v.NumField() {
		if v.Field(i).IsZero() && f.Field(i).IsZero() {
			t.Errorf("no test has the field %s", v.Type().Field(i).Name)
		}
	}
}

func TestSweepsComeBackAsTheyWere(t *testing.T) {
	want := &entry.Sweep{
		Time: at, Started: at, Ended: at.Add(time.Minute), Hosts: 3, Visited: 2, Failed: 1,
		Conditions: []entry.Condition{{Name: "server.database.away", Unit: "s", Value: 61.5, Text: "refused"}},
	}
	data, err := entry.EncodeSweep(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := entry.DecodeSweep(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	good, err := entry.EncodeVisit(full())
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(good) {
		got, err := entry.DecodeVisit(good[:cut])
		if err == nil && len(got.Report.Statistics) == 3 {
			t.Fatalf("%d of %d bytes are a whole visit", cut, len(good))
		}
		if err != nil && !errors.Is(err, entry.ErrUnreadable) {
			t.Fatal(err)
		}
	}
	sweep, err := entry.EncodeSweep(&entry.Sweep{Time: at})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "newer": append([]byte{9}, sweep[1:]...), "a sweep": sweep, "no visit": {1, 2, '{', '}'}, "long": {1, 255, 255, 255, 255, 15},
	} {
		if _, err := entry.DecodeVisit(data); !errors.Is(err, entry.ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{"empty": nil, "a visit": good, "no sweep": {1, '{', '}'}} {
		if _, err := entry.DecodeSweep(data); !errors.Is(err, entry.ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeVisit(f *testing.F) {
	for _, v := range []*entry.Visit{full(), failed()} {
		data, err := entry.EncodeVisit(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := entry.DecodeVisit(data)
		if err != nil {
			if !errors.Is(err, entry.ErrUnreadable) {
				t.Fatal(err)
			}
			return
		}
		again, err := entry.EncodeVisit(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.DecodeVisit(again); err != nil {
			t.Fatalf("what was read and written can't be read: %v", err)
		}
	})
}

func BenchmarkVisit(b *testing.B) {
	v := full()
	for len(v.Report.Statistics) < 105 {
		v.Report.Statistics = append(v.Report.Statistics, v.Report.Statistics[1])
	}
	for b.Loop() {
		data, err := entry.EncodeVisit(v)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := entry.DecodeVisit(data); err != nil {
			b.Fatal(err)
		}
	}
}
