package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"muster/internal/queue"
)

// options are those of a queue of its own with a reader.
func options(t *testing.T) queue.Options {
	return queue.Options{Folder: filepath.Join(t.TempDir(), "queue"), Readers: []string{"store", "alert"}}
}

func open(t *testing.T, o queue.Options) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func reader(t *testing.T, q *queue.Queue, name string) *queue.Reader {
	t.Helper()
	r, err := q.Reader(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func entry(n int) queue.Entry {
	return queue.Entry{Kind: "visit", ID: fmt.Sprint(n), Data: fmt.Appendf(nil, "the report of visit %d", n)}
}

func put(t *testing.T, q *queue.Queue, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := q.Put(t.Context(), entry(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// take reads until it has so many entries and says that they are done with.
func take(t *testing.T, r *queue.Reader, number int) []string {
	t.Helper()
	var ids []string
	for len(ids) < number {
		entries, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if want := "the report of visit " + e.ID; string(e.Data) != want || e.Kind != "visit" {
				t.Fatalf("entry %s is %s %q", e.ID, e.Kind, e.Data)
			}
			ids = append(ids, e.ID)
		}
		if err := r.Done(t.Context(), entries[len(entries)-1].Position); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// noise returns bytes that nothing compresses, always the same.
func noise(seed uint64, size int) []byte {
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	source.Read(data)
	return data
}

func numbers(from, to int) string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return strings.Join(all, " ")
}

func testEachReaderGetsEveryEntryInOrder(t *testing.T, o queue.Options) {
	q := open(t, o)
	put(t, q, 0, 20)
	for _, name := range []string{"store", "alert"} {
		if got := strings.Join(take(t, reader(t, q, name), 20), " "); got != numbers(0, 20) {
			t.Fatalf("%s reads %s", name, got)
		}
	}
}

func testWhatIsNotDoneIsReadAgainAfterARestart(t *testing.T, o queue.Options) {
	q := open(t, o)
	put(t, q, 0, 10)
	r := reader(t, q, "store")
	take(t, r, 10)
	put(t, q, 10, 15)
	if _, err := r.Next(t.Context(), 1<<20); err != nil { // and nothing is done with it
		t.Fatal(err)
	}
	r.Again()
	if again, err := r.Next(t.Context(), 1<<20); err != nil || len(again) != 5 || again[0].Number != 11 {
		t.Fatalf("read again by another user: %d entries, %v", len(again), err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, o)
	if s := q.State(); s.Readers["store"].Entries != 5 || s.Readers["alert"].Entries != 15 || s.Readers["store"].Oldest.IsZero() {
		t.Fatalf("state after a restart: %+v", s)
	}
	if got := strings.Join(take(t, reader(t, q, "store"), 5), " "); got != numbers(10, 15) {
		t.Fatalf("read again: %s", got)
	}
	if got := strings.Join(take(t, reader(t, q, "alert"), 15), " "); got != numbers(0, 15) {
		t.Fatalf("the other reader: %s", got)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, o) // everything is deleted by now, and the count goes on
	put(t, q, 15, 16)
	if s := q.State(); s.Readers["store"].Entries != 1 {
		t.Fatalf("state: %+v", s)
	}
	if got := strings.Join(take(t, reader(t, q, "store"), 1), " "); got != "15" {
		t.Fatalf("read %s", got)
	}
}

func testEntriesPutAtTheSameTimeShareGroups(t *testing.T, o queue.Options) {
	q := open(t, o)
	var putting sync.WaitGroup
	failed := make(chan error, 500)
	for n := range 500 {
		putting.Go(func() { failed <- q.Put(t.Context(), entry(n)) })
	}
	putting.Wait()
	for range 500 {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	r := reader(t, q, "store")
	seen := make(map[string]bool)
	groups := make(map[uint64]bool)
	for len(seen) < 500 {
		entries, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if seen[e.ID] {
				t.Fatalf("%s twice", e.ID)
			}
			seen[e.ID] = true
			groups[e.Position.Sequence] = true
		}
	}
	if len(groups) > 250 {
		t.Fatalf("%d groups for 500 entries", len(groups))
	}
}

func testNextWaitsForAnEntry(t *testing.T, o queue.Options) {
	q := open(t, o)
	r := reader(t, q, "store")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("of an empty queue: %v", err)
	}
	got := make(chan []queue.Entry)
	go func() {
		entries, _ := r.Next(t.Context(), 1)
		got <- entries
	}()
	put(t, q, 7, 8)
	if entries := <-got; len(entries) != 1 || entries[0].ID != "7" {
		t.Fatalf("got %v", entries)
	}
}

func testWaitIsForWhatWasPutBefore(t *testing.T, o queue.Options) {
	q := open(t, o)
	r := reader(t, q, "alert")
	if err := r.Wait(t.Context()); err != nil {
		t.Fatalf("of an empty queue: %v", err)
	}
	put(t, q, 0, 3)
	waited := make(chan error)
	go func() { waited <- r.Wait(t.Context()) }()
	take(t, r, 3)
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	put(t, q, 3, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func testLargeEntriesComeBack(t *testing.T, o queue.Options) {
	q := open(t, o)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB, more than a group should have
	for n := range 3 {
		if err := q.Put(t.Context(), queue.Entry{Kind: "visit", ID: fmt.Sprint(n), Data: large}); err != nil {
			t.Fatal(err)
		}
	}
	r := reader(t, q, "store")
	for n := 0; n < 3; {
		entries, err := r.Next(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Fatalf("%d entries though one is more than was asked for", len(entries))
		}
		if !bytes.Equal(entries[0].Data, large) {
			t.Fatal("another entry came back")
		}
		n++
	}
}

func testEntriesThatAreTooLargeAreRefused(t *testing.T, o queue.Options) {
	q := open(t, o)
	err := q.Put(t.Context(), queue.Entry{Kind: "visit", ID: "1", Data: noise(1, 9<<20)})
	if !errors.Is(err, queue.ErrTooLarge) {
		t.Fatal(err)
	}
	put(t, q, 2, 3)
}

func TestNothingReadableIsOnDisk(t *testing.T) {
	o := options(t)
	q := open(t, o)
	secret := []byte("PLAINTEXT-THAT-NOBODY-READS")
	if err := q.Put(t.Context(), queue.Entry{Kind: "visit", ID: "1", Data: secret}); err != nil {
		t.Fatal(err)
	}
	if err := q.Table("alerts").Put(t.Context(), "key", secret); err != nil {
		t.Fatal(err)
	}
	if err := q.Bury(t.Context(), queue.Entry{Kind: "visit", ID: "2", Data: secret}, "for a test"); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(o.Folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if bytes.Contains(content, secret) {
			t.Errorf("%s holds what was put, readable", path)
		}
		return err
	})
	if err != nil || files < 4 {
		t.Fatalf("%d files, %v", files, err)
	}
	info, err := os.Stat(o.Folder + ".key")
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Fatalf("the key: %v, %v", info, err)
	}
}

func TestAKeyThatDoesNotFitIsAnError(t *testing.T) {
	o := options(t)
	q := open(t, o)
	put(t, q, 0, 3)
	q.Close()
	key := o.Folder + ".key"
	right, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string][]byte{
		"another": bytes.Repeat([]byte("ab"), 32),
		"short":   []byte("abcd\n"),
		"gone":    nil,
	} {
		os.Remove(key)
		if wrong != nil {
			if err := os.WriteFile(key, wrong, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := queue.Open(t.Context(), o); !errors.Is(err, queue.ErrKey) || !strings.Contains(err.Error(), key) {
			t.Errorf("a key that is %s: %v", name, err)
		}
	}
	os.Remove(key)
	if err := os.WriteFile(key, right, 0o600); err != nil {
		t.Fatal(err)
	}
	take(t, reader(t, open(t, o), "store"), 3)
}
