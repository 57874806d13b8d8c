package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	visits "muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
)

// The bound that docs/architecture.md states: what the queue keeps in memory, whatever waits in it.
const memoryBound = 128 << 20

// backlog is how many hosts reported in how many sweeps while nobody read.
const (
	backlogHosts  = 10_000
	backlogSweeps = 4
	visitsAtOnce  = 64
	batchBytes    = 8 << 20 // that the recorder asks for
)

// visitEntry returns what a visit of a host with some disks and interfaces puts: 105 statistics.
func visitEntry(host, sweep int) queue.Entry {
	random := rand.New(rand.NewPCG(uint64(host), uint64(sweep)))
	at := time.Date(2026, 3, 1, 12, sweep, 0, 0, time.UTC)
	name := fmt.Sprintf("host%05d.example.org", host)
	id := fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())
	v := &visits.Visit{
		ID: id, Sweep: at, Host: name, Groups: "linux/web", Address: fmt.Sprintf("10.0.%d.%d:22", host>>8, host&255),
		Started: at.Add(time.Duration(random.IntN(1e9))), Took: time.Duration(random.IntN(5e7)), Sent: 700, Received: 2500,
		Stages: map[string]time.Duration{
			"dial": 3 * time.Millisecond, "handshake": 4 * time.Millisecond, "authentication": time.Millisecond,
			"run": time.Duration(random.IntN(2e7)), "receive": time.Millisecond,
		},
		Report: &report.Report{Visit: id, Host: name, Client: "1.0", OS: "linux", Arch: "amd64", Hostname: name, Time: at},
	}
	add := func(name, instance, unit string, kind report.Kind) {
		v.Report.Statistics = append(v.Report.Statistics, report.Statistic{
			Name: name, Instance: instance, Unit: unit, Kind: kind, Value: float64(random.Uint64N(1<<40)) / 100,
		})
	}
	for i := range 15 {
		add(fmt.Sprint("memory.", i), "", "B", report.Gauge)
	}
	for disk := range 10 {
		for _, s := range []string{"disk.used", "disk.free", "disk.read", "disk.written", "disk.usage"} {
			add(s, fmt.Sprintf("/srv/volume%d", disk), "B", report.Gauge)
		}
	}
	for card := range 4 {
		for i := range 10 {
			add(fmt.Sprint("network.", i), fmt.Sprint("eth", card), "B", report.Counter)
		}
	}
	data, err := visits.EncodeVisit(v)
	if err != nil {
		panic(err)
	}
	return queue.Entry{Kind: visits.KindVisit, ID: name + " " + id, Data: data}
}

// The test binary, started with this argument, what to do, and a folder, uses a queue with a large backlog, and prints what
// that took.
const holdMuch = "hold-much"

// usage is what a process used.
type usage struct {
	Memory  uint64 // bytes that the Go runtime had from the system at most, beyond what it had at the start
	Heap    uint64 // bytes that were live after the last collection, at most
	Entries int
	Bytes   int64 // that waited, compressed
	Plain   int64 // bytes of the entries
	Took    time.Duration
}

func hold(doing, folder string) string {
	debug.SetMemoryLimit(memoryBound)
	u := usage{}
	before, _ := memory()
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			all, live := memory()
			u.Memory, u.Heap = max(u.Memory, all-min(all, before)), max(u.Heap, live)
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	}()
	started := time.Now()
	err := holdInto(doing, folder, &u)
	u.Took = time.Since(started)
	close(stop)
	<-watched
	if err != nil {
		return err.Error()
	}
	text, _ := json.Marshal(&u)
	return string(text)
}

// memory returns what the Go runtime has from the system and has not given back, and what was live at the last collection.
func memory() (all, live uint64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64(), samples[2].Value.Uint64()
}

func holdInto(doing, folder string, u *usage) (err error) {
	q, err := queue.Open(context.Background(), queue.Options{Folder: folder, Readers: []string{"store"}})
	if err != nil {
		return err
	}
	defer q.Close()
	if doing == "put" {
		err = putMuch(q, u)
	} else {
		err = drain(q, u)
	}
	q.Look(context.Background())
	u.Bytes = q.State().Bytes
	return err
}

func putMuch(q *queue.Queue, u *usage) error {
	var next, plain atomic.Int64
	var putting sync.WaitGroup
	failed := make(chan error, visitsAtOnce)
	for range visitsAtOnce {
		putting.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= backlogHosts*backlogSweeps {
					return
				}
				e := visitEntry(n%backlogHosts, n/backlogHosts)
				plain.Add(int64(len(e.Data)))
				if err := q.Put(context.Background(), e); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	putting.Wait()
	u.Entries, u.Plain = backlogHosts*backlogSweeps, plain.Load()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func drain(q *queue.Queue, u *usage) error {
	r, err := q.Reader("store")
	if err != nil {
		return err
	}
	for u.Entries < backlogHosts*backlogSweeps {
		entries, err := r.Next(context.Background(), batchBytes)
		if err != nil {
			return err
		}
		for _, e := range entries {
			u.Plain += int64(len(e.Data))
		}
		u.Entries += len(entries)
		if err := r.Done(context.Background(), entries[len(entries)-1].Position); err != nil {
			return err
		}
	}
	return nil
}

func TestMemoryIsBoundedWhateverWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("40,000 reports take some seconds")
	}
	folder := filepath.Join(t.TempDir(), "queue")
	for _, doing := range []string{"put", "drain"} {
		output, err := exec.Command(os.Args[0], holdMuch, doing, folder).Output()
		var u usage
		if err != nil || json.Unmarshal(output, &u) != nil {
			t.Fatalf("%s: %v: %s", doing, err, output)
		}
		t.Logf("%s: %d entries, %d MiB, %d MiB on disk afterwards, in %v; %d MiB of memory, %d MiB live", doing, u.Entries, u.Plain>>20,
			u.Bytes>>20, u.Took.Round(time.Millisecond), u.Memory>>20, u.Heap>>20)
		if u.Entries != backlogHosts*backlogSweeps {
			t.Errorf("%s: %d entries", doing, u.Entries)
		}
		if u.Memory > memoryBound {
			t.Errorf("%s: %d MiB of memory, more than %d", doing, u.Memory>>20, memoryBound>>20)
		}
	}
}
