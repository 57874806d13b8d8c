package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

func TestOneConnectionForWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		j := &journal{}
		o := openWith(t, Options{Table: newMemory(), Sender: s, Logger: j.logger()})
		for i := range PerConnection + 2 {
			post(t, o, Accepted, digest(fmt.Sprintf("r%02d@example.org", i), sweep1, "a", "b"))
			time.Sleep(time.Millisecond)
		}
		defer run(o)()
		flush(t, o)
		sends := s.sends()
		if len(sends) != 2 || len(sends[0]) != PerConnection || !slices.IsSorted(sends[0]) || len(sends[1]) != 2 {
			t.Errorf("connections: %q", sends)
		}
		if state := o.State(); state.SentTotal != PerConnection+2 || state.Retries != 0 || state.Waiting != 0 {
			t.Errorf("%+v", state)
		}
		want := `level=INFO msg="mail sent" to=r00@example.org message=` + s.mails[0].ID + " raised=2 ended=0\n"
		if !strings.Contains(j.String(), want) {
			t.Errorf("no %s in\n%s", want, j)
		}
		// What is posted later is sent at once.
		before := time.Now()
		post(t, o, Accepted, digest("late@example.org", sweep1, "a"))
		synctest.Wait()
		if s.count() != PerConnection+3 || !time.Now().Equal(before) {
			t.Errorf("%d mails, %v later", s.count(), time.Since(before))
		}
	})
}

// A wrong sender's address concerns all mails: that is one attempt and not one for each.
func TestSenderThatIsNotAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.does(func(mail.Message) *mail.Error { return failure(mail.StepSender, 550) })
		o := open(t, newMemory(), s)
		for i := range 2 * PerConnection {
			post(t, o, Accepted, digest(fmt.Sprintf("r%d@example.org", i), sweep1, "a"))
		}
		defer run(o)()
		synctest.Wait()
		if len(s.sends()) != 1 || o.State().Waiting != 2*PerConnection {
			t.Errorf("%d sends, %+v", len(s.sends()), o.State())
		}
		s.does(nil)
		time.Sleep(retryFirst)
		synctest.Wait()
		if s.count() != 2*PerConnection {
			t.Errorf("%d mails", s.count())
		}
	})
}

// A server that takes some mails of a connection and then no more has not refused the rest.
func TestServerThatTakesSomeAndIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		taken := 0
		s.does(func(mail.Message) *mail.Error {
			if taken++; taken > 3 && taken <= 10 {
				return failure(mail.StepConnect, 0)
			}
			return nil
		})
		o := open(t, newMemory(), s)
		for i := range 10 {
			post(t, o, Accepted, digest(fmt.Sprintf("r%d@example.org", i), sweep1, "a"))
		}
		defer run(o)()
		synctest.Wait()
		if state := o.State(); state.Waiting != 7 || state.SentTotal != 3 || len(s.sends()) != 1 || state.Attempts != 1 {
			t.Errorf("%+v, %q", state, s.sends())
		}
		time.Sleep(retryFirst)
		synctest.Wait()
		if s.count() != 10 || len(s.accepted) != 10 {
			t.Errorf("%v", s.accepted)
		}
	})
}

func TestRefusal(t *testing.T) {
	for _, e := range []*mail.Error{
		failure(mail.StepRecipient, 550), failure(mail.StepContent, 554),
		{Step: mail.StepMessage, Err: errors.New("no address"), Advice: "wait or act"},
	} {
		synctest.Test(t, func(t *testing.T) {
			table, s := newMemory(), newServer()
			s.does(func(m mail.Message) *mail.Error {
				if m.To == "refused@example.org" {
					return e
				}
				return nil
			})
			j := &journal{}
			o := openWith(t, Options{Table: table, Sender: s, Logger: j.logger()})
			post(t, o, Accepted, digest("refused@example.org", sweep1, "a"))
			post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
			stop := run(o)
			err := o.Flush(t.Context())
			var cause *mail.Error
			if !errors.As(err, &cause) || cause != e || !strings.Contains(err.Error(), "refused@example.org") ||
				!strings.Contains(err.Error(), "wait or act") || strings.Contains(err.Error(), "ops@") {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Hour)
			stop()
			if len(s.sends()) != 1 || s.count() != 1 {
				t.Errorf("%q", s.sends())
			}
			o = open(t, table, s)
			state := o.State()
			if len(state.Refused) != 1 || state.Refused[0].To != "refused@example.org" || state.Refused[0].Error != e.Error() ||
				state.Refused[0].Advice != e.Advice || state.Refused[0].Subject == "" || state.Refused[0].Time.IsZero() {
				t.Errorf("%+v", state)
			}
			post(t, o, Known, digest("refused@example.org", sweep1, "a"))
			post(t, o, Accepted, digest("refused@example.org", sweep2, "b"))
			if !strings.Contains(j.String(), `level=ERROR msg="mail refused, it is not sent again" to=refused@example.org`) {
				t.Errorf("%s", j)
			}
		})
	}
}

func TestErrorThatIsNoneOfTheSenders(t *testing.T) {
	outcomes := outcomesOf(errTable, 2)
	if len(outcomes) != 2 || !outcomes[1].Temporary || outcomes[1].Final() || !errors.Is(outcomes[1], errTable) {
		t.Errorf("%v", outcomes)
	}
	outcomes = outcomesOf(&mail.SendError{Errors: make([]*mail.Error, 1)}, 2) // of other messages
	if len(outcomes) != 2 || outcomes[0] == nil || outcomes[1] == nil {
		t.Errorf("%v", outcomes)
	}
}

// A letter whose acceptance can't be written is not sent again by this process, and written when that is possible.
func TestTableAwayAfterSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		table.fail(errTable)
		stop := run(o)
		if err := o.Flush(t.Context()); !errors.Is(err, errTable) || !strings.Contains(err.Error(), "is sent, and that is not on disk") {
			t.Errorf("%v", err)
		}
		time.Sleep(10 * time.Minute)
		if state := o.State(); s.count() != 1 || state.Unsaved != 1 || state.Waiting != 0 {
			t.Errorf("%d mails, %+v", s.count(), state)
		}
		if table.puts < 10 || table.puts > 25 {
			t.Errorf("%d attempts at writing in ten minutes", table.puts)
		}
		// The key is taken until then: a record written late must not cover a letter.
		post(t, o, Known, digest("ops@example.org", sweep1, "a"))
		post(t, o, Deferred, digest("ops@example.org", sweep1, "b"))
		table.fail(nil)
		time.Sleep(writeMost)
		synctest.Wait()
		if state := o.State(); state.Unsaved != 0 {
			t.Errorf("%+v", state)
		}
		stop()
		stop = run(open(t, table, s))
		synctest.Wait()
		stop()
		if s.count() != 1 {
			t.Errorf("%d mails", s.count())
		}
	})
}

func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.does(away)
		o := open(t, newMemory(), s)
		for i := range 2 * PerConnection {
			post(t, o, Accepted, digest(fmt.Sprintf("r%02d@example.org", i), sweep1, "a"))
			time.Sleep(time.Millisecond)
		}
		// Nobody sends.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := o.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "r00@") {
			t.Errorf("%v", err)
		}
		cancel()
		stop := run(o)
		time.Sleep(time.Hour)
		for range 3 { // it does not wait for the end of the pause
			before, sends := time.Now(), len(s.sends())
			err := o.Flush(t.Context())
			var cause *mail.Error
			if !errors.As(err, &cause) || !strings.Contains(err.Error(), "r00@example.org") ||
				!strings.Contains(err.Error(), "wait or act") || !strings.Contains(err.Error(), "and 30 more") {
				t.Errorf("%v", err)
			}
			if len(s.sends()) != sends+1 || time.Since(before) > time.Second {
				t.Errorf("%d sends in %v", len(s.sends())-sends, time.Since(before))
			}
		}
		s.does(nil)
		flush(t, o)
		if s.count() != 2*PerConnection {
			t.Errorf("%d mails", s.count())
		}
		flush(t, o)
		stop()
	})
}

func TestStateOfWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.does(func(m mail.Message) *mail.Error {
			return failure(mail.StepRecipient, map[string]int{"first@example.org": 451, "second@example.org": 452}[m.To])
		})
		o := open(t, newMemory(), s)
		if got := o.State(); got.Waiting != 0 || !got.Oldest.IsZero() || got.Error != "" || got.Refused != nil {
			t.Errorf("%+v", got)
		}
		oldest := time.Now()
		post(t, o, Accepted, digest("first@example.org", sweep1, "a"))
		if got := o.State(); got.Waiting != 1 || !got.Oldest.Equal(oldest) || got.Error != "" || !got.Again.IsZero() {
			t.Errorf("not tried yet: %+v", got)
		}
		defer run(o)()
		time.Sleep(time.Minute)
		post(t, o, Accepted, digest("second@example.org", sweep1, "a"))
		synctest.Wait()
		for range 20 { // the order in which letters are looked at is chance
			got := o.State()
			if got.Waiting != 2 || !got.Oldest.Equal(oldest) || got.Attempts != 3 || !strings.Contains(got.Error, "451") {
				t.Fatalf("%+v", got)
			}
			if again := time.Until(got.Again); again <= 0 || again > retryFirst {
				t.Fatalf("again in %v", again)
			}
		}
	})
}
