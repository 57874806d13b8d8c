package report

import (
	"strings"
	"testing"
)

// A report of the size that one may have, as a host with many events sends it.
func fullReport(b *testing.B) *Report {
	r := typical()
	l := Logs{Channel: "Security", Epoch: 1}
	raw := eventXML + strings.Repeat(`<Data Name='ProcessName'>C:\Windows\System32\svchost.exe</Data>`, 1+(1500-len(eventXML))/64)
	for size, id := 0, int64(1); ; id++ {
		one := record(id)
		one.Raw, one.Message, one.Altered = raw, "", false
		one.Data = one.Data[:2]
		if size += one.Size(); size > MaxRecordBytes {
			break
		}
		l.Records = append(l.Records, one)
	}
	l.Next = Cursor{1, lastID(l.Records), ""}
	r.Logs = []Logs{l}
	b.ReportMetric(float64(len(l.Records)), "records")
	b.ReportMetric(float64(len(raw)), "raw-bytes")
	return r
}

func BenchmarkParseLogs(b *testing.B) {
	document := marshal(b, fullReport(b))
	b.ReportAllocs()
	b.SetBytes(int64(len(document)))
	records := 0
	for b.Loop() {
		r, err := Parse(document)
		if err != nil {
			b.Fatal(err)
		}
		records += len(r.Logs[0].Records)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(records), "µs/record")
}

func BenchmarkMarshalLogs(b *testing.B) {
	r := fullReport(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(marshal(b, r))))
	for b.Loop() {
		marshal(b, r)
	}
}

func BenchmarkCleanRecord(b *testing.B) {
	r := fullReport(b).Logs[0].Records[0]
	b.SetBytes(int64(r.Size()))
	b.ReportAllocs()
	for b.Loop() {
		r = CleanRecord(r)
	}
}
