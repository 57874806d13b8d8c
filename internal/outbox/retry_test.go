package outbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

// checkPauses checks that each pause is its base, or less by up to a fifth.
func checkPauses(t *testing.T, got []time.Duration, bases ...time.Duration) {
	t.Helper()
	if len(got) < len(bases) {
		t.Fatalf("pauses %v, want %v", got, bases)
	}
	for i, base := range bases {
		if got[i] > base || got[i] < base*8/10 {
			t.Errorf("pause %d is %v, want about %v", i, got[i], base)
		}
	}
}

// A server that is away is asked by one connection however many wait, and an hour of it costs a receiver two mails.
func TestAnHourWithoutMailServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.does(away)
		j := &journal{}
		o := openWith(t, Options{Table: newMemory(), Sender: s, Logger: j.logger()})
		stop := run(o)
		defer stop()
		const receivers = 50
		untold := make([][]string, receivers)
		for minute := range 60 {
			for r := range receivers {
				untold[r] = append(untold[r], fmt.Sprintf("n%d", minute))
				to := fmt.Sprintf("r%d@example.org", r)
				d := digest(to, sweep1.Add(time.Duration(minute)*time.Minute), untold[r]...)
				outcome, err := o.Post(t.Context(), d)
				if err != nil || (outcome == Accepted) != (minute == 0) {
					t.Fatalf("minute %d: %v, %v", minute, outcome, err)
				}
				if outcome == Accepted {
					untold[r] = nil
				}
			}
			time.Sleep(time.Minute)
		}
		checkPauses(t, s.pauses()[1:], 30*time.Second, time.Minute, 2*time.Minute, 4*time.Minute, 8*time.Minute,
			10*time.Minute, 10*time.Minute)
		for i, receivers := range s.sends() {
			if len(receivers) > PerConnection {
				t.Errorf("connection %d: %d mails", i, len(receivers))
			}
		}
		state := o.State()
		if state.Waiting != receivers || state.Attempts != len(s.sends()) || state.Attempts > 12 ||
			!strings.Contains(state.Error, "because") || state.Advice == "" || state.Again.IsZero() || state.Retries == 0 {
			t.Errorf("%+v", state)
		}
		if n := strings.Count(j.String(), "level=ERROR"); n != len(s.sends()) {
			t.Errorf("%d errors are logged for %d attempts", n, len(s.sends()))
		}

		s.does(nil)
		time.Sleep(retryMost)
		synctest.Wait()
		for r := range receivers {
			post(t, o, Accepted, digest(fmt.Sprintf("r%d@example.org", r), sweep1.Add(time.Hour), untold[r]...))
		}
		synctest.Wait()
		if s.count() != 2*receivers {
			t.Errorf("%d mails", s.count())
		}
		if state := o.State(); state.Waiting != 0 || state.Attempts != 0 || state.Error != "" || !state.Oldest.IsZero() {
			t.Errorf("%+v", state)
		}
		if !strings.Contains(j.String(), "mail server can be used again") {
			t.Error("its return is not logged")
		}
		s.does(away)
		post(t, o, Accepted, digest("ops@example.org", sweep2, "z"))
		synctest.Wait()
		if n := o.State().Attempts; n != 1 {
			t.Errorf("attempt %d after it was back", n)
		}
	})
}

// A new process does not wait as long as the one before would have.
func TestRestartTriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		s.does(away)
		o := open(t, table, s)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		stop := run(o)
		time.Sleep(time.Hour)
		stop()
		n := len(s.sends())
		s.does(nil)
		stop = run(open(t, table, s))
		synctest.Wait()
		stop()
		if len(s.sends()) != n+1 || s.count() != 1 {
			t.Errorf("%d sends, %d mails", len(s.sends())-n, s.count())
		}
	})
}

// A letter that has to wait waits by itself, longer each time, and the others pass it.
func TestLetterThatHasToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.does(func(m mail.Message) *mail.Error {
			if m.To == "later@example.org" {
				return failure(mail.StepRecipient, 451)
			}
			return nil
		})
		j := &journal{}
		o := openWith(t, Options{Table: newMemory(), Sender: s, Logger: j.logger()})
		post(t, o, Accepted, digest("later@example.org", sweep1, "a"))
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		defer run(o)()
		synctest.Wait()
		if s.count() != 1 {
			t.Fatalf("%d mails", s.count())
		}
		time.Sleep(time.Second)
		post(t, o, Accepted, digest("ops@example.org", sweep2, "b"))
		synctest.Wait()
		if s.count() != 2 || len(s.sends()) != 2 || len(s.sends()[1]) != 1 {
			t.Errorf("it keeps others back: %q", s.sends())
		}
		before := time.Now()
		if err := o.Flush(t.Context()); err == nil || len(s.sends()) != 3 || !time.Now().Equal(before) {
			t.Errorf("asked to be tried now: %v, %d sends, %v", err, len(s.sends()), time.Since(before))
		}
		time.Sleep(time.Hour)
		var asked []time.Duration
		for i, receivers := range s.sends() {
			if slices.Contains(receivers, "later@example.org") {
				asked = append(asked, s.times[i].Sub(s.times[0]))
			}
		}
		var pauses []time.Duration
		for i := 1; i < len(asked); i++ {
			pauses = append(pauses, asked[i]-asked[i-1])
		}
		checkPauses(t, pauses[1:], 30*time.Second, time.Minute, 2*time.Minute, 4*time.Minute, 8*time.Minute,
			10*time.Minute, 10*time.Minute)
		state := o.State()
		if state.Attempts != len(asked) || state.Retries != uint64(len(asked)-1) || state.Waiting != 1 {
			t.Errorf("%+v after %d attempts", state, len(asked))
		}
		if !strings.Contains(j.String(), `level=ERROR msg="mail not sent, it is tried again" to=later@example.org`) {
			t.Errorf("%s", j)
		}
	})
}

// A mail that may have been accepted is sent again as the same mail, and less often.
func TestUncertainOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		copies := 0
		s.does(func(m mail.Message) *mail.Error {
			s.accept(m)
			if copies++; copies <= 9 {
				return &mail.Error{Step: mail.StepContent, Temporary: true, Uncertain: true, Err: errors.New("no answer")}
			}
			s.accepted[m.ID]-- // Send counts it too
			return nil
		})
		j := &journal{}
		o := openWith(t, Options{Table: newMemory(), Sender: s, Logger: j.logger()})
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		defer run(o)()
		time.Sleep(6 * time.Hour)
		checkPauses(t, s.pauses(), 15*time.Second, 30*time.Second, time.Minute, 2*time.Minute, 4*time.Minute, 8*time.Minute,
			16*time.Minute, 32*time.Minute, time.Hour)
		if len(s.accepted) != 1 || len(s.sends()) != 10 {
			t.Errorf("%v, %d attempts", s.accepted, len(s.sends()))
		}
		for _, m := range s.mails {
			if m != s.mails[0] {
				t.Error("the copies differ")
			}
		}
		if n := strings.Count(j.String(), "may have been accepted"); n != 9 {
			t.Errorf("logged %d times", n)
		}
	})
}

// A clock that jumps, forward or back, neither forgets what waits nor changes when it is tried.
func TestClockThatJumps(t *testing.T) {
	for _, jump := range []time.Duration{-10 * 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			table, s := newMemory(), newServer()
			var offset time.Duration
			o := openWith(t, Options{Table: table, Sender: s, Now: func() time.Time { return time.Now().Add(offset) }})
			post(t, o, Accepted, digest("sent@example.org", sweep1, "a"))
			stop := run(o)
			flush(t, o)
			s.does(away)
			post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
			synctest.Wait()
			stop()
			offset = jump
			stop = run(o)
			time.Sleep(2 * forgetEvery)
			s.does(nil)
			time.Sleep(retryMost)
			synctest.Wait()
			stop()
			if s.count() != 2 {
				t.Errorf("%v: %d mails", jump, s.count())
			}
			o = open(t, table, s)
			if o.Has("sent@example.org", sweep1) != (jump < 0) || !o.Has("ops@example.org", sweep1) {
				t.Errorf("%v: %d records", jump, table.size())
			}
		})
	}
}
