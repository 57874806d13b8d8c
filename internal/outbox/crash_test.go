package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

var errKilled = errors.New("the process was killed")

// world is what outlives a process: the disk, the mail server with the receivers' mailboxes, and what the one who posts
// has on its own disk. It kills the process at one operation on disk or mail server: nothing happens from there on.
type world struct {
	*memory
	mu       sync.Mutex
	left     int  // operations until the kill; negative: none
	after    bool // the operation is done and its answer lost
	dead     bool
	mailbox  map[string]int // copies of each mail, by Message-ID
	recorded map[string]bool
	allowed  map[string]bool // mails that may come twice, by Message-ID
	said     map[string]bool // notices that arrived, by receiver
	moods    *rand.Rand      // of the mail server; nil: it takes everything
}

func newWorld(moods *rand.Rand) *world {
	return &world{
		memory: newMemory(), left: -1, mailbox: make(map[string]int), recorded: make(map[string]bool),
		allowed: make(map[string]bool), said: make(map[string]bool), moods: moods,
	}
}

// operation does something unless the process is dead, or dies of it.
func (w *world) operation(do func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errKilled
	}
	if w.left == 0 {
		w.dead = true
		if w.after {
			do()
		}
		return errKilled
	}
	w.left--
	do()
	return nil
}

func (w *world) Put(ctx context.Context, key string, value []byte) error {
	return w.operation(func() {
		_ = w.memory.Put(ctx, key, value)
		if r, err := decode(key, value); err == nil && r.State != waits {
			w.recorded[r.Message] = true
		}
	})
}

func (w *world) Delete(ctx context.Context, key string) error {
	return w.operation(func() { _ = w.memory.Delete(ctx, key) })
}

func (w *world) Check(context.Context) error { return nil }

func (w *world) Send(_ context.Context, messages ...mail.Message) error {
	outcome := &mail.SendError{Errors: make([]*mail.Error, len(messages))}
	for i, m := range messages {
		mood := 0
		if w.moods != nil {
			mood = w.moods.IntN(8)
		}
		switch mood {
		case 5:
			outcome.Errors[i] = failure(mail.StepRecipient, 451)
			continue
		case 6:
			outcome.Errors[i] = failure(mail.StepConnect, 0)
			continue
		}
		err := w.operation(func() {
			w.mailbox[m.ID]++
			w.said[m.To+" "+m.Subject] = true
		})
		if mood == 7 || err != nil {
			outcome.Errors[i] = &mail.Error{Step: mail.StepContent, Temporary: true, Uncertain: true, Err: errors.New("no answer")}
			w.mu.Lock()
			w.allowed[m.ID] = true
			w.mu.Unlock()
		}
	}
	if len(outcome.Unwrap()) == 0 {
		return nil
	}
	return outcome
}

// isDead reports whether the process was killed.
func (w *world) isDead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// killed notes which mails may come twice because of the kill: accepted, and not recorded as such.
func (w *world) killed() {
	for id, n := range w.mailbox {
		if n > 0 && !w.recorded[id] {
			w.allowed[id] = true
		}
	}
	w.dead, w.left = false, -1
}

// live is a life of the server: it tells two receivers of three sweeps, each sweep until that is as good as told, as an
// evaluator does whose own state is what told is. It returns false if it was killed.
func (w *world) live(t *testing.T, told map[string]bool) bool {
	ctx := t.Context()
	o, err := New(ctx, Options{Table: w, Sender: w})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(o)
	defer stop()
	for i := range 3 {
		for _, to := range []string{"ops@example.org", "dba@example.org"} {
			notice := fmt.Sprintf("n%d", i)
			for !told[to+notice] {
				d := digest(to, sweep1.Add(time.Duration(i)*time.Minute), notice)
				outcome, err := o.Post(ctx, d)
				if w.isDead() {
					return false
				}
				if err != nil {
					t.Fatal(err)
				}
				if outcome != Deferred {
					// Killed here, before the evaluator has noted it, is the most that it can forget.
					if w.operation(func() { told[to+notice] = true }) != nil {
						return false
					}
				}
				if outcome == Deferred {
					_ = o.Flush(ctx)
				}
				if w.isDead() {
					return false
				}
			}
		}
		_ = o.Flush(ctx)
	}
	for o.State().Waiting > 0 || o.State().Unsaved > 0 {
		if w.isDead() {
			return false
		}
		_ = o.Flush(ctx)
	}
	return !w.isDead()
}

// check balances the books.
func (w *world) check(t *testing.T, name string) {
	t.Helper()
	if len(w.mailbox) != 6 || len(w.said) != 6 {
		t.Errorf("%s: %d mails of 6 came, %v", name, len(w.mailbox), w.said)
	}
	for id, n := range w.mailbox {
		if n > 1 && !w.allowed[id] {
			t.Errorf("%s: %s came %d times", name, id, n)
		}
	}
	again := open(t, w.memory, newServer())
	if s := again.State(); s.Waiting != 0 || s.RefusedKept != 0 {
		t.Errorf("%s: %+v", name, s)
	}
}

// Killed at each operation there is, before it and after it, a process and the one that follows it send every mail, and
// none twice but what was accepted and not recorded.
func TestKilledAtEveryOperation(t *testing.T) {
	points, twice := 0, 0
	for _, after := range []bool{false, true} {
		for at := 0; ; at++ {
			died := false
			synctest.Test(t, func(t *testing.T) {
				w, told := newWorld(nil), make(map[string]bool)
				w.left, w.after = at, after
				died = !w.live(t, told)
				w.killed()
				if died && !w.live(t, told) {
					t.Fatal("it dies twice")
				}
				w.check(t, fmt.Sprintf("operation %d, after=%v", at, after))
				for _, n := range w.mailbox {
					twice += n - 1
				}
			})
			if !died {
				break
			}
			points++
		}
	}
	// 6 mails are posted, noted, sent and recorded: 24 operations, some with others' of the same kind.
	if points != 48 {
		t.Errorf("killed at %d points", points)
	}
	if twice == 0 {
		t.Error("no kill hit the time between acceptance and record: the test tests nothing")
	}
}

// Killed many times, at any operation, while the mail server is in any mood.
func TestKilledOftenWithAMoodyServer(t *testing.T) {
	lives := 0
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 1))
			w, told := newWorld(chance), make(map[string]bool)
			for range 20 {
				w.left, w.after = chance.IntN(8), chance.IntN(2) == 0
				lives++
				ended := w.live(t, told)
				w.killed()
				if ended {
					break
				}
			}
			for !w.live(t, told) {
				w.killed()
			}
			w.check(t, fmt.Sprintf("seed %d", seed))
		})
	}
	if lives < 1000 {
		t.Errorf("only %d lives", lives)
	}
}
