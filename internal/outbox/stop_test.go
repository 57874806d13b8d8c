package outbox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/mail"
)

// What was accepted is written even though the process is told to stop meanwhile, and nothing more is begun.
func TestStopWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		s.hang = make(chan struct{})
		o := open(t, table, s)
		for i := range PerConnection + 1 {
			post(t, o, Accepted, digest(fmt.Sprintf("r%d@example.org", i), sweep1, "a"))
		}
		stop := run(o)
		synctest.Wait()
		time.AfterFunc(stopGrace-time.Second, func() { close(s.hang) })
		stop()
		o = open(t, table, s)
		if o.State().Waiting != 1 || s.count() != PerConnection {
			t.Errorf("%d wait, %d were sent", o.State().Waiting, s.count())
		}
	})
}

func TestStopWhileTheServerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		s.hang = make(chan struct{})
		j := &journal{}
		o := openWith(t, Options{Table: table, Sender: s, Logger: j.logger()})
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		stop := run(o)
		synctest.Wait()
		before := time.Now()
		stop()
		if took := time.Since(before); took != stopGrace {
			t.Errorf("it stopped within %v", took)
		}
		if o.State().Waiting != 1 || open(t, table, s).State().Waiting != 1 || !strings.Contains(j.String(), "uncertain=true") {
			t.Errorf("%+v\n%s", o.State(), j)
		}
	})
}

func TestRunsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.hang = make(chan struct{})
		o := open(t, newMemory(), s)
		first, second := run(o), run(o)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		synctest.Wait()
		o.nudge()
		synctest.Wait()
		if n := len(s.sends()); n != 1 {
			t.Errorf("%d sends at once", n)
		}
		close(s.hang)
		first()
		second()
		if s.count() != 1 {
			t.Errorf("%d mails", s.count())
		}
	})
}

// What a stopped process was told by the server before it was cut off counts.
func TestStopInTheMiddleOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newMemory()
		o := open(t, table, cutOff{newServer()})
		for _, to := range []string{"accepted@example.org", "refused@example.org", "uncertain@example.org"} {
			post(t, o, Accepted, digest(to, sweep1, "a"))
		}
		stop := run(o)
		synctest.Wait()
		stop()
		o = open(t, table, newServer())
		if s := o.State(); s.Waiting != 1 || !o.Waiting("uncertain@example.org") || s.RefusedKept != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// cutOff is a server that answers when it is cut off.
type cutOff struct{ *server }

func (cutOff) Send(ctx context.Context, messages ...mail.Message) error {
	<-ctx.Done()
	outcome := &mail.SendError{Errors: make([]*mail.Error, len(messages))}
	for i, m := range messages {
		switch m.To {
		case "refused@example.org":
			outcome.Errors[i] = failure(mail.StepRecipient, 550)
		case "uncertain@example.org":
			outcome.Errors[i] = &mail.Error{Step: mail.StepContent, Temporary: true, Uncertain: true, Err: ctx.Err()}
		}
	}
	return outcome
}

// What could not be written is tried once more when the process ends, whatever pause it is in.
func TestStopWritesWhatIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		table.fail(errTable)
		stop := run(o)
		time.Sleep(10*time.Minute + time.Millisecond)
		table.fail(nil)
		stop()
		if n := open(t, table, s).State().Waiting; n != 0 {
			t.Errorf("%d mails would be sent again", n)
		}
	})
}

// Flush is not done before the disk is.
func TestFlushWaitsForTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, s := newMemory(), newServer()
		o := open(t, table, s)
		post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
		table.put = func(string) (error, bool) {
			time.Sleep(time.Second)
			return nil, true
		}
		defer run(o)()
		before := time.Now()
		flush(t, o)
		if took := time.Since(before); took < time.Second || o.State().Unsaved != 0 {
			t.Errorf("it waited %v", took)
		}
	})
}
