package store

import (
	"testing"
	"time"

	"muster/internal/testserver"
)

func BenchmarkSaveSQLite(b *testing.B) { benchmarkSave(b, &target{}) }
func BenchmarkSaveMariaDB(b *testing.B) {
	benchmarkSave(b, &target{server: testserver.MariaDB(b)})
}
func BenchmarkSavePostgreSQL(b *testing.B) {
	benchmarkSave(b, &target{server: testserver.PostgreSQL(b)})
}

// benchmarkSave saves one sweep after the other over 500 hosts, 40 statistics each, whose series are known.
func benchmarkSave(b *testing.B, x *target) {
	const hosts, each = 500, 40
	s := x.open(b)
	sweep := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Save(b.Context(), fleet(sweep, hosts, each)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		sweep = sweep.Add(time.Minute)
		visits := fleet(sweep, hosts, each)
		b.StartTimer()
		if err := s.Save(b.Context(), visits); err != nil {
			b.Fatal(err)
		}
	}
	rows := float64(b.N) * hosts * each
	b.ReportMetric(rows/b.Elapsed().Seconds(), "statistics/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/rows, "ns/statistic")
}

// BenchmarkBatch is the part of Save before the database.
func BenchmarkBatch(b *testing.B) {
	const hosts, each = 500, 40
	visits := fleet(time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), hosts, each)
	known := newKnownSeries(knownMax)
	first, err := newBatch(visits, known)
	if err != nil {
		b.Fatal(err)
	}
	for id, s := range first.series {
		known.add([]seriesID{{id: id, check: s.check}})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newBatch(visits, known); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*hosts*each), "ns/statistic")
}
