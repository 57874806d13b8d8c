package entry_test

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
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

// fenced is a visit that a jump host failed, as earlier programs knew none.
func fenced() *entry.Visit {
	v := failed()
	v.Kind, v.Jump = "jump-failed", "bastion"
	return v
}

func TestVisitsComeBackAsTheyWere(t *testing.T) {
	for _, v := range []*entry.Visit{full(), failed(), fenced()} {
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
	f := reflect.ValueOf(*fenced())
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

func TestKindsThatAreToBeStoredStaySo(t *testing.T) {
	for kind, want := range map[string]string{
		entry.KindVisit: entry.KindStoreVisit, entry.KindSweep: entry.KindStoreSweep, entry.KindLogs: entry.KindStoreLogs, "of a later version": "of a later version",
		entry.KindStoreVisit: entry.KindStoreVisit, entry.KindStoreSweep: entry.KindStoreSweep,
		entry.KindStoreLogs: entry.KindStoreLogs,
	} {
		if got := entry.ToStore(kind); got != want {
			t.Errorf("%q is %q to store, want %q", kind, got, want)
		}
	}
}

// update writes the entries of testdata anew. Only a new version of the form is a reason to do so.
var update = flag.Bool("update", false, "write testdata anew")

// TestTheFormOfEntriesIsKept compares with entries that an earlier program wrote: they may wait in a queue.
func TestTheFormOfEntriesIsKept(t *testing.T) {
	visit := func(v *entry.Visit) func() ([]byte, error) {
		return func() ([]byte, error) { return entry.EncodeVisit(v) }
	}
	sweep := &entry.Sweep{
		Time: at, Started: at, Ended: at.Add(time.Minute), Hosts: 3, Visited: 2, Failed: 1,
		Conditions: []entry.Condition{{Name: "server.database.away", Unit: "s", Value: 61.5, Text: "refused"}},
	}
	direct := failed()
	direct.Jump = ""
	for name, c := range map[string]struct {
		encode func() ([]byte, error)
		decode func([]byte) (any, error)
		want   any
	}{
		"visit-1":  {visit(full()), func(b []byte) (any, error) { return entry.DecodeVisit(b) }, full()},
		"failed-1": {visit(direct), func(b []byte) (any, error) { return entry.DecodeVisit(b) }, direct},
		"failed-2": {visit(failed()), func(b []byte) (any, error) { return entry.DecodeVisit(b) }, failed()},
		"jump-1":   {visit(fenced()), func(b []byte) (any, error) { return entry.DecodeVisit(b) }, fenced()},
		"sweep-1":  {func() ([]byte, error) { return entry.EncodeSweep(sweep) }, func(b []byte) (any, error) { return entry.DecodeSweep(b) }, sweep},
	} {
		file := filepath.Join("testdata", name+".entry")
		written, err := c.encode()
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
		if got, err := c.decode(kept); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is read as\n%+v, %v, want\n%+v", file, got, err, c.want)
		}
		if !bytes.Equal(written, kept) {
			t.Errorf("%s would be written as\n%q, and is\n%q", file, written, kept)
		}
	}
}

func FuzzDecodeSweep(f *testing.F) {
	for _, s := range []*entry.Sweep{{Time: at}, {Time: at, Ended: at, Conditions: []entry.Condition{{Name: "n", Value: 1}}}} {
		data, err := entry.EncodeSweep(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := entry.DecodeSweep(data)
		if err != nil {
			if !errors.Is(err, entry.ErrUnreadable) {
				t.Fatal(err)
			}
			return
		}
		again, err := entry.EncodeSweep(s)
		if err != nil {
			t.Fatal(err)
		}
		read, err := entry.DecodeSweep(again)
		if err != nil {
			t.Fatalf("what was read and written can't be read: %v", err)
		}
		if third, err := entry.EncodeSweep(read); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("written\n%q, %v, and before\n%q", third, err, again)
		}
	})
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
