package outbox

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/mail"
	"muster/internal/testserver"
)

// exim returns a mail server and who sends through it.
func exim(t *testing.T) (*testserver.SMTPServer, *mail.Sender) {
	t.Helper()
	s := testserver.SMTP(t, testserver.SMTPOptions{Username: "muster", Password: "correcthorse"})
	sender, err := mail.New(mail.Server{
		Host: s.Host, Port: s.Port, Security: mail.STARTTLS, Username: s.Username, Password: s.Password,
		From: "Muster <muster@example.org>", CA: s.CA, Timeout: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, sender
}

// A mail server that is away and comes back, under a process that ends meanwhile: every mail comes, once.
func TestEximAwayAndBack(t *testing.T) {
	server, sender := exim(t)
	table := newMemory()
	o := open(t, table, sender)
	if err := o.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := run(o)
	post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
	flush(t, o)
	server.Messages(t, 1)

	server.Stop()
	post(t, o, Accepted, digest("ops@example.org", sweep2, "b"))
	post(t, o, Accepted, digest("dba@example.org", sweep2, "b"))
	err := o.Flush(t.Context())
	var cause *mail.Error
	if !errors.As(err, &cause) || cause.Step != mail.StepConnect || !strings.Contains(err.Error(), "dba@example.org") ||
		!strings.Contains(err.Error(), "check host and port") {
		t.Errorf("%v", err)
	}
	post(t, o, Deferred, digest("ops@example.org", sweep2.Add(time.Minute), "c"))
	stop()

	o = open(t, table, sender)
	stop = run(o)
	if err := o.Flush(t.Context()); err == nil {
		t.Error("a server that is away took mails")
	}
	server.Start()
	flush(t, o)
	post(t, o, Accepted, digest("ops@example.org", sweep2.Add(2*time.Minute), "c", "d"))
	flush(t, o)
	stop()

	ids := make(map[string]int)
	var subjects []string
	for _, m := range server.Messages(t, 4) {
		ids[m.Header.Get("Message-Id")]++
		subjects = append(subjects, m.To+" "+m.Header.Get("Subject"))
	}
	slices.Sort(subjects)
	want := []string{
		"dba@example.org [muster] host-b: cpu.usage 97 % (above 90 %)",
		"ops@example.org [muster] 2 alerts: host-c, host-d",
		"ops@example.org [muster] host-a: cpu.usage 97 % (above 90 %)",
		"ops@example.org [muster] host-b: cpu.usage 97 % (above 90 %)",
	}
	if len(ids) != 4 || !slices.Equal(subjects, want) {
		t.Errorf("%v\n%q", ids, subjects)
	}
}

// A real server's answers: one receiver refused, one to be tried later, the others served.
func TestEximRefuses(t *testing.T) {
	server, sender := exim(t)
	o := open(t, newMemory(), sender)
	for _, to := range []string{"refused@example.org", "later@example.org", "ops@example.org", "no address"} {
		post(t, o, Accepted, digest(to, sweep1, "a"))
	}
	defer run(o)()
	err := o.Flush(t.Context())
	for _, part := range []string{"refused@example.org is refused", "no such mailbox", "later@example.org is not sent yet",
		"try again later", "no address is refused"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
	if m := server.Messages(t, 1); m[0].To != "ops@example.org" {
		t.Errorf("a mail to %s", m[0].To)
	}
	s := o.State()
	if s.Waiting != 1 || s.RefusedKept != 2 || s.SentTotal != 1 || !strings.Contains(s.Error, "451") {
		t.Errorf("%+v", s)
	}
}

// A process killed between the server's answer and the record: the mail comes twice, and is the same mail.
func TestEximAfterAKill(t *testing.T) {
	server, sender := exim(t)
	table := newMemory()
	o := open(t, table, sender)
	post(t, o, Accepted, digest("ops@example.org", sweep1, "a"))
	table.fail(errTable) // the record never reaches the disk …
	stop := run(o)
	if err := o.Flush(t.Context()); !errors.Is(err, errTable) {
		t.Errorf("%v", err)
	}
	stop()
	table.fail(nil) // … and the process is gone
	o = open(t, table, sender)
	stop = run(o)
	flush(t, o)
	stop()
	mails := server.Messages(t, 2)
	if a, b := mails[0], mails[1]; a.Header.Get("Message-Id") != b.Header.Get("Message-Id") ||
		a.Header.Get("Date") != b.Header.Get("Date") || string(a.Body) != string(b.Body) {
		t.Errorf("%s\n%s", a.Raw, b.Raw)
	}
}
