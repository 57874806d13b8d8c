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

func BenchmarkPruneSQLite(b *testing.B) { benchmarkPrune(b, &target{}) }
func BenchmarkPruneMariaDB(b *testing.B) {
	benchmarkPrune(b, &target{server: testserver.MariaDB(b)})
}
func BenchmarkPrunePostgreSQL(b *testing.B) {
	benchmarkPrune(b, &target{server: testserver.PostgreSQL(b)})
}

// benchmarkPrune deletes an hour of 500 hosts, 40 statistics each, of two hours. It takes its time by design: it lets
// others write for as long as it writes itself.
func benchmarkPrune(b *testing.B, x *target) {
	const hosts, each, sweeps = 500, 40, 60
	s := x.open(b)
	sweep := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	hour := func() {
		for range sweeps {
			sweep = sweep.Add(time.Minute)
			if err := s.Save(b.Context(), fleet(sweep, hosts, each)); err != nil {
				b.Fatal(err)
			}
		}
	}
	hour()
	var total Pruned
	for b.Loop() {
		b.StopTimer()
		before := sweep.Add(time.Second)
		hour()
		b.StartTimer()
		pruned, err := s.Prune(b.Context(), before)
		if err != nil {
			b.Fatal(err)
		}
		if pruned.Statistics != hosts*each*sweeps {
			b.Fatalf("pruned %+v", pruned)
		}
		total.Statistics += pruned.Statistics
		total.Steps += pruned.Steps
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total.Statistics), "ns/statistic")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(total.Steps)/2, "ms/step")
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
