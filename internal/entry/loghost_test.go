package entry_test

import (
	"errors"
	"testing"

	"muster/internal/entry"
	"muster/internal/report"
)

func TestHostOfLogs(t *testing.T) {
	data, err := entry.EncodeLogs(&entry.Logs{Visit: "v", Host: "h1", Groups: "h2", Channels: []report.Logs{
		{Channel: "journal", Epoch: 1, Records: []report.Record{{ID: 1, Time: at, Computer: "h3", Message: "m"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if host, err := entry.HostOfLogs(data); host != "h1" || err != nil {
		t.Errorf("%q, %v", host, err)
	}
	nobody, err := entry.EncodeLogs(&entry.Logs{Visit: "v"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, {2}, {1}, {1, 200, 3}, {1, 2, 'x', 'y'}, data[:10], nobody} {
		if host, err := entry.HostOfLogs(bad); host != "" || !errors.Is(err, entry.ErrUnreadable) {
			t.Errorf("%q: %q, %v", bad, host, err)
		}
	}
}

// BenchmarkHostOfLogs looks at an entry of a thousand records.
func BenchmarkHostOfLogs(b *testing.B) {
	l := &entry.Logs{Visit: "0123456789abcdef", Host: "h1", Channels: []report.Logs{{Channel: "Security", Epoch: 1, Next: report.Cursor{Epoch: 1, Record: 9, Position: "p"}}}}
	for i := range 1000 {
		l.Channels[0].Records = append(l.Channels[0].Records, report.Record{ID: int64(i + 1), Time: at, Message: "An account failed to log on."})
	}
	data, err := entry.EncodeLogs(l)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := entry.HostOfLogs(data); err != nil {
			b.Fatal(err)
		}
	}
}
