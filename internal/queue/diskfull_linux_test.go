package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"muster/internal/queue"
	"muster/internal/testserver"
)

// smallDisk mounts a file system in memory of so many MiB, with a file of half of that on it.
func smallDisk(t *testing.T, size int) (point, ballast string) {
	t.Helper()
	testserver.NeedRoot(t, "mounting a file system")
	point = t.TempDir()
	mountable(t, unix.Mount("tmpfs", point, "tmpfs", 0, fmt.Sprintf("size=%dm", size)))
	t.Cleanup(func() {
		if err := unix.Unmount(point, 0); err != nil {
			t.Error(err)
		}
	})
	ballast = filepath.Join(point, "ballast")
	if err := os.WriteFile(ballast, make([]byte, size<<20/2), 0o600); err != nil {
		t.Fatal(err)
	}
	return point, ballast
}

// mountable skips a test where not even root may mount, as in most containers.
func mountable(t *testing.T, err error) {
	t.Helper()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		t.Skipf("mounting a file system is not permitted here, though the test runs as root: %v", err)
	case err != nil:
		t.Fatalf("mount: %v", err)
	}
}

// fill puts entries until one is not taken, and returns the ids of those that were.
func fill(t *testing.T, q *queue.Queue, from int) (acknowledged map[string]bool, err error) {
	t.Helper()
	acknowledged = make(map[string]bool)
	for n := from; n < from+1000; n++ {
		e := queue.Entry{Kind: "visit", ID: fmt.Sprint(n), Data: noise(uint64(n), 100<<10)}
		if err := q.Put(t.Context(), e); err != nil {
			return acknowledged, err
		}
		acknowledged[e.ID] = true
	}
	t.Fatal("1000 entries of 100 KiB fit")
	return nil, nil
}

// everything reads all that waits and checks that what was acknowledged is there.
func everything(t *testing.T, q *queue.Queue, name string, acknowledged map[string]bool) {
	t.Helper()
	r := reader(t, q, name)
	found := make(map[string]bool)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for len(found) < len(acknowledged) {
		entries, err := r.Next(ctx, 1<<20)
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(found), len(acknowledged), err)
		}
		for _, e := range entries {
			var n uint64
			fmt.Sscan(e.ID, &n)
			if string(e.Data) != string(noise(n, 100<<10)) {
				t.Fatalf("entry %s is not what was put", e.ID)
			}
			if acknowledged[e.ID] { // others were put by calls that failed
				found[e.ID] = true
			}
		}
		if err := r.Done(ctx, entries[len(entries)-1].Position); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFullDiskLosesNothingAndIsRecoveredFrom(t *testing.T) {
	point, ballast := smallDisk(t, 32)
	o := queue.Options{
		Folder: filepath.Join(point, "queue"), Readers: []string{"store", "alert"}, Patience: 2 * time.Second,
		FreeSpace: func(string) (uint64, error) { return 1 << 40, nil }, // as if something else fills the disk at the last moment
	}
	q := open(t, o)
	if err := q.Table("alerts").Put(t.Context(), "web1", []byte("firing")); err != nil {
		t.Fatal(err)
	}
	acknowledged, err := fill(t, q, 0)
	if !errors.Is(err, queue.ErrUnavailable) {
		t.Fatalf("a full disk: %v", err)
	}
	t.Logf("%d entries fit, then: %v", len(acknowledged), err)
	if len(acknowledged) < 100 {
		t.Fatalf("only %d entries of 100 KiB fit into 16 MiB", len(acknowledged))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	// Somebody else than the one who puts has to notice, and start JetStream again.
	if err := q.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, q, "available again", func(s queue.State) bool { return s.Available })
	more, err := fill(t, q, 1000)
	if err == nil || len(more) < 100 {
		t.Fatalf("with room again %d more were taken: %v", len(more), err)
	}
	for id := range more {
		acknowledged[id] = true
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", point, "", unix.MS_REMOUNT, "size=128m"); err != nil {
		t.Fatal(err)
	}
	q = open(t, o)
	put := queue.Entry{Kind: "visit", ID: "9999", Data: noise(9999, 100<<10)}
	if err := q.Put(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	acknowledged[put.ID] = true
	everything(t, q, "store", acknowledged)
	everything(t, q, "alert", acknowledged)
	all, err := q.Table("alerts").All(t.Context())
	if err != nil || string(all["web1"]) != "firing" {
		t.Fatalf("the table holds %q: %v", all, err)
	}
}

func TestADiskThatIsFullWhenTheQueueIsOpenedLosesNothing(t *testing.T) {
	point, ballast := smallDisk(t, 32)
	o := queue.Options{
		Folder: filepath.Join(point, "queue"), Readers: []string{"store"}, Patience: time.Second,
		FreeSpace: func(string) (uint64, error) { return 1 << 40, nil },
	}
	q := open(t, o)
	acknowledged, err := fill(t, q, 0)
	if err == nil {
		t.Fatal("the disk is not full")
	}
	q.Close()
	if more, err := os.Create(filepath.Join(point, "rest")); err == nil { // not a byte is left
		for err == nil {
			_, err = more.Write(make([]byte, 4096))
		}
		more.Close()
	}
	if q, err = queue.Open(t.Context(), o); err == nil {
		q.Close()
	} else if !errors.Is(err, queue.ErrUnavailable) {
		t.Fatal(err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	everything(t, open(t, o), "store", acknowledged)
}

func TestTheRealDiskIsLookedAt(t *testing.T) {
	point, ballast := smallDisk(t, 400)
	o := queue.Options{Folder: filepath.Join(point, "queue"), Readers: []string{"store"}}
	q := open(t, o)
	if s := until(t, q, "room", func(s queue.State) bool { return s.Available }); s.Full || s.Free < 150<<20 || s.Free > 200<<20 {
		t.Fatalf("with 200 MiB left: %+v", s)
	}
	put(t, q, 0, 1)
	if err := os.WriteFile(ballast, make([]byte, 300<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, q, "no room", func(s queue.State) bool { return s.Full })
	if err := q.Put(t.Context(), entry(1)); !errors.Is(err, queue.ErrFull) || !strings.Contains(err.Error(), "MiB left") {
		t.Fatalf("with 100 MiB left: %v", err)
	}
	vital := entry(2)
	vital.Vital = true
	if err := q.Put(t.Context(), vital); err != nil {
		t.Fatalf("a vital entry: %v", err)
	}
	if err := os.WriteFile(ballast, make([]byte, 350<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, q, "even less room", func(s queue.State) bool { return s.Free < 64<<20 })
	if err := q.Put(t.Context(), vital); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("a vital entry with 50 MiB left: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until(t, q, "room again", func(s queue.State) bool { return !s.Full })
	put(t, q, 1, 2)
}

// Nothing is deleted where the disk has no room for saying so: JetStream would hang for ever.
func TestNothingIsPurgedWithoutRoom(t *testing.T) {
	var free atomic.Uint64
	o := queue.Options{
		Folder: filepath.Join(t.TempDir(), "queue"), Readers: []string{"store"},
		FreeSpace: func(string) (uint64, error) { return free.Load(), nil },
	}
	free.Store(1 << 40)
	q := open(t, o)
	put(t, q, 0, 10)
	free.Store(15 << 20)
	r := reader(t, q, "store")
	entries, err := r.Next(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Done(t.Context(), entries[len(entries)-1].Position); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := q.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := q.State(); s.Bytes == 0 {
		t.Errorf("with 15 MiB left: %+v", s)
	}
	free.Store(16 << 20)
	until(t, q, "purged", func(s queue.State) bool { return s.Bytes == 0 })
}
