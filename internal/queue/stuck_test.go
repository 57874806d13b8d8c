package queue

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestStuck has JetStream hang when it is to be started again. Nothing is started beside it, nobody waits for ever, and what
// was put is there for the next process.
func TestStuck(t *testing.T) {
	folder := t.TempDir()
	o := Options{Folder: folder, Readers: []string{"store"}, Patience: time.Millisecond}
	q, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	entry := Entry{Kind: "visit", ID: "1", Data: []byte("kept")}
	if err := q.Put(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	select {
	case <-q.Stuck():
		t.Fatal("a queue that works is stuck")
	default:
	}
	q.mu.Lock()
	l := q.link
	q.mu.Unlock()
	end, hangs, ended := l.end, make(chan struct{}), make(chan struct{})
	l.bound = time.Millisecond
	l.end = func() { <-hangs; end(); close(ended) }
	l.fail(errors.New("it hangs"))
	<-q.Stuck()
	if err := q.Put(t.Context(), entry); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), ErrStuck.Error()) {
		t.Errorf("put: %v", err)
	}
	// However often it is looked at.
	for range 3 {
		if err := q.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := q.State(); s.Available || !strings.Contains(s.Reason, ErrStuck.Error()) {
		t.Errorf("the state is %+v", s)
	}
	if err := q.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	close(hangs)
	<-ended

	if q, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	r, err := q.Reader("store")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Next(t.Context(), 1<<20); err != nil || len(got) != 1 || string(got[0].Data) != "kept" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestCloseOfAStuckQueue closes a queue whose JetStream hangs then.
func TestCloseOfAStuckQueue(t *testing.T) {
	q, err := Open(t.Context(), Options{Folder: t.TempDir(), Readers: []string{"store"}})
	if err != nil {
		t.Fatal(err)
	}
	end, hangs, ended := q.link.end, make(chan struct{}), make(chan struct{})
	q.link.bound = time.Millisecond
	q.link.end = func() { <-hangs; end(); close(ended) }
	if err := q.Close(); !errors.Is(err, ErrStuck) {
		t.Errorf("close: %v", err)
	}
	close(hangs)
	<-ended
}
