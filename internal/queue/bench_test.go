package queue_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"muster/internal/queue"
)

func openBench(b *testing.B) *queue.Queue {
	b.Helper()
	q, err := queue.Open(b.Context(), queue.Options{Folder: filepath.Join(b.TempDir(), "queue"), Readers: []string{"store"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { q.Close() })
	return q
}

// reports are visits of 105 statistics, as they are put.
func reports() []queue.Entry {
	all := make([]queue.Entry, 500)
	for i := range all {
		all[i] = visitEntry(i, 0)
	}
	return all
}

// BenchmarkPut is one visit after the other: each waits for its own sync.
func BenchmarkPut(b *testing.B) {
	q, all := openBench(b), reports()
	n := 0
	for b.Loop() {
		if err := q.Put(b.Context(), all[n%len(all)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "visits/s")
}

// BenchmarkPutParallel is 256 visits at once, as many as a sweep has.
func BenchmarkPutParallel(b *testing.B) {
	q, all := openBench(b), reports()
	var n atomic.Int64
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := q.Put(b.Context(), all[int(n.Add(1))%len(all)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "visits/s")
}

// BenchmarkRead reads what 256 visits at once have put, in batches as the recorder's, and notes each.
func BenchmarkRead(b *testing.B) {
	q, all := openBench(b), reports()
	r, err := q.Reader("store")
	if err != nil {
		b.Fatal(err)
	}
	visits := 0
	for b.Loop() {
		b.StopTimer()
		for range 10 {
			if err := q.Put(b.Context(), all[:100]...); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for read := 0; read < 1000; {
			entries, err := r.Next(b.Context(), batchBytes)
			if err != nil {
				b.Fatal(err)
			}
			if err := r.Done(b.Context(), entries[len(entries)-1].Position); err != nil {
				b.Fatal(err)
			}
			read += len(entries)
			visits += len(entries)
		}
	}
	b.ReportMetric(float64(visits)/b.Elapsed().Seconds(), "visits/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(visits), "ns/visit")
}
