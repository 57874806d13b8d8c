package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

func TestPostIsDecidedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		first := digest("ops@example.org", sweep1, "a", "b")
		post(t, o, Accepted, first)
		post(t, o, Known, first)
		again := digest("ops@example.org", sweep1, "b", "a") // the same news, composed at another time
		again.Now, again.Ongoing = sweep2, 7
		post(t, o, Known, again)
		post(t, o, Deferred, digest("ops@example.org", sweep1, "a", "c"))
		post(t, o, Deferred, digest("ops@example.org", sweep2, "c"))
		post(t, o, Accepted, digest("dba@example.org", sweep1, "a"))
		if !o.Has("ops@example.org", sweep1) || o.Has("ops@example.org", sweep2) || !o.Waiting("ops@example.org") {
			t.Error("what waits is not known")
		}
		o = open(t, table, s) // another process
		post(t, o, Known, first)
		post(t, o, Deferred, digest("ops@example.org", sweep2, "c"))

		stop := run(o)
		flush(t, o)
		if o.Waiting("ops@example.org") || !o.Has("ops@example.org", sweep1) {
			t.Error("what was sent is not known")
		}
		post(t, o, Known, first)
		post(t, o, Accepted, digest("ops@example.org", sweep2, "c"))
		// One key, other news: nothing is lost, not even where a sweep had a name twice.
		flush(t, o)
		post(t, o, Accepted, digest("ops@example.org", sweep2, "d"))
		flush(t, o)
		stop()
		if s.count() != 4 || len(s.accepted) != 4 {
			t.Errorf("mails: %v", s.accepted)
		}
		o = open(t, table, s)
		post(t, o, Known, first)
		if n := o.State().Waiting; n != 0 {
			t.Errorf("%d letters wait", n)
		}
	})
}

func TestNothingToTellIsNoLetter(t *testing.T) {
	table := newMemory()
	o := open(t, table, newServer())
	if got, err := o.Post(t.Context(), digest("ops@example.org", sweep1)); got != 0 || !errors.Is(err, mail.ErrEmpty) {
		t.Errorf("%v, %v", got, err)
	}
	if table.size() != 0 {
		t.Error("something is kept")
	}
}

func TestOptionsThatAreMissing(t *testing.T) {
	for _, o := range []Options{{}, {Table: newMemory()}, {Sender: newServer()}} {
		if _, err := New(t.Context(), o); err == nil {
			t.Errorf("%+v is enough", o)
		}
	}
}

type brokenTable struct{ *memory }

func (brokenTable) All(context.Context) (map[string][]byte, error) { return nil, errTable }

func TestTableThatCanNotBeRead(t *testing.T) {
	if _, err := New(t.Context(), Options{Table: brokenTable{}, Sender: newServer()}); !errors.Is(err, errTable) {
		t.Error(err)
	}
}

func TestPostReportsTheTable(t *testing.T) {
	table := newMemory()
	o := open(t, table, newServer())
	table.fail(errTable)
	first := digest("ops@example.org", sweep1, "a")
	if got, err := o.Post(t.Context(), first); got != 0 || !errors.Is(err, errTable) || !strings.Contains(err.Error(), "ops@example.org") {
		t.Errorf("%v, %v", got, err)
	}
	if o.Has("ops@example.org", sweep1) || o.Waiting("ops@example.org") {
		t.Error("a letter that is not on disk is known")
	}
	table.fail(nil)
	post(t, o, Accepted, first)
}

// A Put that failed may have been done. What is in the table then must not be sent beside the letter that has its news.
func TestLetterThatIsInTheTableThoughPutFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		table.put = func(string) (error, bool) { return errTable, true }
		if _, err := o.Post(t.Context(), digest("ops@example.org", sweep1, "a")); err == nil {
			t.Fatal("no error")
		}
		table.put = nil
		table.delete = func(string) (error, bool) { return errTable, false }
		if _, err := o.Post(t.Context(), digest("ops@example.org", sweep2, "a", "b")); !errors.Is(err, errTable) {
			t.Fatalf("%v", err)
		}
		table.delete = nil
		post(t, o, Accepted, digest("ops@example.org", sweep2, "a", "b"))
		o = open(t, table, s)
		defer run(o)()
		flush(t, o)
		if s.count() != 1 || s.mails[0].Subject != "[muster] 2 alerts: host-a, host-b" {
			t.Errorf("mails: %+v", s.mails)
		}
	})
}

func TestPostWaitsForItsTurnAndItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newMemory()
		o := open(t, table, newServer())
		o.posting <- struct{}{} // another Post
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.Post(ctx, digest("ops@example.org", sweep1, "a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// What a digest takes has no bound; what is kept has.
func TestLettersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		hostile := digest("ops@example.org", sweep1)
		for i := range 5000 {
			item := mail.Item{
				Notice: fmt.Sprint(i), Host: strings.Repeat(`"`, 100), Groups: strings.Repeat(`"`, 100),
				Statistic: fmt.Sprint(i, strings.Repeat(`"`, 100)), Limit: strings.Repeat(`"`, 100), Since: sweep1,
				Instance: strings.Repeat(`"`, 100), Text: strings.Repeat(`"`, 1000), Unit: "%", Value: 1,
			}
			hostile.Raised = append(hostile.Raised, item)
			item.Ended = sweep1.Add(time.Second)
			hostile.Ended = append(hostile.Ended, item)
		}
		ordinary := digest("dba@example.org", sweep1)
		for i := range 10_000 {
			ordinary.Raised = append(ordinary.Raised, mail.Item{
				Notice: fmt.Sprint(i), Host: fmt.Sprintf("web%d.example.org", i), Groups: "web/front", Statistic: "visit.failed",
				Text: "dial: dial tcp 10.0.0.12:22: connect: connection refused; check that sshd runs", Since: sweep1,
			})
		}
		post(t, o, Accepted, hostile)
		post(t, o, Accepted, ordinary)
		for key, value := range table.values {
			if len(value) > MaxLetter {
				t.Errorf("%s has %d bytes", key, len(value))
			}
		}
		o = open(t, table, s)
		defer run(o)()
		flush(t, o)
		for _, m := range s.mails {
			rendered, err := mail.Render(map[string]mail.Digest{hostile.To: hostile, ordinary.To: ordinary}[m.To])
			if err != nil {
				t.Fatal(err)
			}
			if m.To == hostile.To {
				rendered.HTML = ""
			}
			if m != rendered {
				t.Errorf("the mail to %s is another: %d and %d bytes", m.To, len(m.Text), len(rendered.Text))
			}
		}
		if len(s.mails) != 2 {
			t.Errorf("%d mails", len(s.mails))
		}
	})
}

func TestLetterThatCanNotBeKeptIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		j := &journal{}
		o := openWith(t, Options{Table: table, Sender: s, Logger: j.logger()})
		long := digest(strings.Repeat("x", MaxLetter)+"@example.org", sweep1, "a")
		post(t, o, Accepted, long)
		post(t, o, Known, long)
		defer run(o)()
		err := o.Flush(t.Context())
		if err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "correct the address") {
			t.Error(err)
		}
		flush(t, o) // it is said once
		o = open(t, table, s)
		state := o.State()
		if len(state.Refused) != 1 || state.Waiting != 0 || len(state.Refused[0].To) > maxShown || s.count() != 0 {
			t.Errorf("%+v", state)
		}
		if !strings.Contains(j.String(), `level=ERROR msg="mail refused, it is not sent again" to=xxx`) {
			t.Errorf("%.200s", j)
		}
	})
}

// A receiver that is no UTF-8 is not lost on the way through JSON.
func TestReceiverThatIsNoText(t *testing.T) {
	table, s := newMemory(), newServer()
	o := open(t, table, s)
	d := digest("op\xffs@example.org", sweep1, "a")
	post(t, o, Accepted, d)
	o = open(t, table, s)
	post(t, o, Known, d)
	if o.State().Waiting != 1 || !o.Waiting(d.To) || !o.Has(d.To, sweep1) {
		t.Errorf("%+v", o.State())
	}
}
