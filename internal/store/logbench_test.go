package store

import (
	"fmt"
	"testing"
	"time"

	"muster/internal/report"
	"muster/internal/testserver"
)

func BenchmarkSaveLogsSQLite(b *testing.B) { benchmarkSaveLogs(b, &target{}) }
func BenchmarkSaveLogsMariaDB(b *testing.B) {
	benchmarkSaveLogs(b, &target{server: testserver.MariaDB(b)})
}
func BenchmarkSaveLogsPostgreSQL(b *testing.B) {
	benchmarkSaveLogs(b, &target{server: testserver.PostgreSQL(b)})
}

// benchmarkSaveLogs saves transactions of 5,000 records, of 50 of 1,000 hosts each.
func benchmarkSaveLogs(b *testing.B, x *target) {
	for _, c := range []struct {
		name   string
		record func(string, int64, time.Time) report.Record
	}{{"events", securityRecord}, {"lines", lineRecord}} {
		b.Run(c.name, func(b *testing.B) {
			s := x.open(b)
			s.logon = securityLogon
			at := noon()
			round := 0
			next := func() []Logs {
				var logs []Logs
				for i := range 50 {
					host := fmt.Sprintf("host%04d", (round*50+i)%1000)
					logs = append(logs, part(host, "Security", at, int64(round/20*100+1), 100, c.record))
				}
				round++
				at = at.Add(10 * time.Second)
				return logs
			}
			before, err := s.engine.space(b.Context(), s.pool)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				logs := next()
				b.StartTimer()
				saveLogs(b, s, logs...)
			}
			if s.engine.name == "mysql" {
				if err := s.db.Exec("ANALYZE TABLE logs").Error; err != nil {
					b.Fatal(err)
				}
			}
			after, err := s.engine.space(b.Context(), s.pool)
			if err != nil {
				b.Fatal(err)
			}
			records := float64(b.N) * 5000
			b.ReportMetric(float64(b.Elapsed().Microseconds())/records, "µs/record")
			b.ReportMetric(float64(after.tables["logs"]-before.tables["logs"])/records, "B/record")
		})
	}
}
