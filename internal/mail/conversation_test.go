package mail_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/mail"
)

func TestPasswordIsSentInTheClearToLoopbackAlone(t *testing.T) {
	s := ordinary().but("EHLO", "250-x\r\n250 AUTH LOGIN PLAIN").but("AUTH", "235 in")
	settings, told := fake(t, s)
	settings.Username, settings.Password = "muster", password
	if err := newSender(t, settings).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told.count("AUTH PLAIN ") != 1 {
		t.Errorf("told %q", told.lines)
	}
}

func TestSTARTTLSIsMandatory(t *testing.T) {
	settings, told := fake(t, ordinary().but("EHLO", "250-x\r\n250 AUTH PLAIN"))
	settings.Security, settings.Username, settings.Password = mail.STARTTLS, "muster", password
	failure := failureOf(t, newSender(t, settings).Send(t.Context(), to(t, "ops@example.org")), mail.StepTLS)
	if failure.Temporary || told.count("AUTH") != 0 || told.count("MAIL") != 0 {
		t.Errorf("%+v, told %q", failure, told.lines)
	}
}

func TestServerThatRepeatsThePassword(t *testing.T) {
	s := ordinary().but("EHLO", "250-x\r\n250 AUTH PLAIN").
		but("AUTH", "535-no \x1b[31m"+password+" is\r\n535 wrong, AG11c3RlcgBjb3JyZWN0aG9yc2U= too")
	settings, _ := fake(t, s)
	settings.Username, settings.Password = "muster", password
	err := newSender(t, settings).Check(t.Context())
	failureOf(t, err, mail.StepLogin)
	const want = `535 no \x1b[31m(password) is wrong, (password) too`
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%s, want one that ends in %s", err, want)
	}
}

func TestWhatServersDo(t *testing.T) {
	for name, test := range map[string]struct {
		script    script
		security  string
		step      mail.Step
		code      int
		temporary bool
		advice    string
	}{
		"busy":           {ordinary().but("greeting", "421 too many"), mail.None, mail.StepGreeting, 421, true, "wait"},
		"not welcome":    {ordinary().but("greeting", "554 no"), mail.None, mail.StepGreeting, 554, false, "log"},
		"closes at once": {ordinary().but("greeting", "close"), mail.None, mail.StepGreeting, 0, true, "port"},
		"not SMTP":       {ordinary().but("greeting", "HTTP/1.1 400 Bad Request"), mail.None, mail.StepGreeting, 0, false, "port"},
		"no TLS there":   {ordinary(), mail.TLS, mail.StepTLS, 0, false, "starttls"},
		"TLS breaks": {ordinary().but("EHLO", "250-x\r\n250 STARTTLS").but("STARTTLS", "454 not now"), mail.STARTTLS,
			mail.StepTLS, 454, true, "log"},
		"sender refused":    {ordinary().but("MAIL", "553 not yours"), mail.None, mail.StepSender, 553, false, "from"},
		"content refused":   {ordinary().but(".", "554 spam"), mail.None, mail.StepContent, 554, false, "log"},
		"content later":     {ordinary().but(".", "452 full"), mail.None, mail.StepContent, 452, true, "wait"},
		"closes at the end": {ordinary().but(".", "close"), mail.None, mail.StepContent, 0, true, "wait"},
		"data refused":      {ordinary().but("DATA", "451 no"), mail.None, mail.StepContent, 451, true, "wait"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, _ := fake(t, test.script)
			settings.Security = test.security
			failure := failureOf(t, newSender(t, settings).Send(t.Context(), to(t, "ops@example.org")), test.step)
			if failure.Code != test.code || failure.Temporary != test.temporary ||
				!strings.Contains(failure.Advice, test.advice) {
				t.Errorf("%+v", failure)
			}
			if failure.Uncertain != (name == "closes at the end") {
				t.Errorf("uncertain: %v", failure.Uncertain)
			}
		})
	}
}

// What comes after a mail was accepted does not make it fail: it would be sent twice.
func TestAcceptedStaysAccepted(t *testing.T) {
	settings, told := fake(t, ordinary().but("RSET", "close").but("QUIT", "close"))
	if err := newSender(t, settings).Send(t.Context(), to(t, "a@example.org"), to(t, "b@example.org")); err != nil {
		t.Fatal(err)
	}
	if told.count("DATA") != 2 || told.count("EHLO") != 1 {
		t.Errorf("told %q", told.lines)
	}
}

// A mail at which the server drops the connection does not keep the others back, and a server that drops every
// connection is left alone.
func TestServerThatDropsConnections(t *testing.T) {
	settings := good()
	settings.Timeout = time.Minute
	told := &heard{}
	var mu sync.Mutex
	connections := 0
	settings.Port = listen(t, "127.0.0.1", func(conn net.Conn) {
		mu.Lock()
		connections++
		first := connections == 1
		mu.Unlock()
		s := ordinary()
		if first {
			s.but("RCPT", "close")
		}
		s.serve(told.add)(conn)
	})
	err := newSender(t, settings).Send(t.Context(), to(t, "a@example.org"), to(t, "b@example.org"), to(t, "c@example.org"))
	var outcome *mail.SendError
	if !errors.As(err, &outcome) || outcome.Errors[0] == nil || outcome.Errors[1] != nil || outcome.Errors[2] != nil {
		t.Fatalf("%v", err)
	}

	dropping, told := fake(t, ordinary().but("RCPT", "close"))
	var messages []mail.Message
	for range 10 {
		messages = append(messages, to(t, "a@example.org"))
	}
	err = newSender(t, dropping).Send(t.Context(), messages...)
	if !errors.As(err, &outcome) || told.count("EHLO") != 2 {
		t.Fatalf("%d connections: %v", told.count("EHLO"), err)
	}
	for i, failure := range outcome.Errors {
		if failure == nil || !failure.Temporary {
			t.Errorf("message %d: %v", i, failure)
		}
	}
}

// Which mail it was at which the server dropped the connection is known: it is not tried a second time.
func TestMailAtWhichTheServerDropsTheConnection(t *testing.T) {
	const poison = "RCPT TO:<poison@example.org>"
	settings, told := fake(t, ordinary().but(poison, "close"))
	err := newSender(t, settings).Send(t.Context(), to(t, "a@example.org"), to(t, "poison@example.org"), to(t, "c@example.org"))
	var outcome *mail.SendError
	if !errors.As(err, &outcome) || outcome.Errors[0] != nil || outcome.Errors[1] == nil || outcome.Errors[2] != nil {
		t.Fatalf("%v", err)
	}
	if told.count(poison) != 1 || told.count("EHLO") != 2 {
		t.Errorf("told %q", told.lines)
	}
}

// Mails that were not handed over because of others' fate have none of their own.
func TestOnlyWhatWasHandedOverIsUncertain(t *testing.T) {
	settings, _ := fake(t, ordinary().but(".", "close"))
	err := newSender(t, settings).Send(t.Context(), to(t, "a@example.org"), to(t, "b@example.org"), to(t, "c@example.org"))
	var outcome *mail.SendError
	if !errors.As(err, &outcome) || !outcome.Errors[0].Uncertain || !outcome.Errors[1].Uncertain {
		t.Fatalf("%v", err)
	}
	if untried := outcome.Errors[2]; untried == nil || untried.Uncertain || !untried.Temporary {
		t.Errorf("%+v", untried)
	}
}

// A refusal before which other mails went through, on a connection that then breaks, is that mail's alone.
func TestRefusalThenBreak(t *testing.T) {
	settings, told := fake(t, ordinary().but("RCPT", "550 no").but("RSET", "close"))
	err := newSender(t, settings).Send(t.Context(), to(t, "a@example.org"), to(t, "b@example.org"), to(t, "c@example.org"))
	var outcome *mail.SendError
	if !errors.As(err, &outcome) || told.count("EHLO") != 3 {
		t.Fatalf("%v", err)
	}
	for _, failure := range outcome.Errors {
		if failure == nil || failure.Code != 550 {
			t.Errorf("%v", failure)
		}
	}
}

func TestAddressesAndHeaders(t *testing.T) {
	settings, told := fake(t, ordinary())
	m := to(t, `"odd local"@example.org`)
	m.ID = "muster-1\r\nBcc: victim@example.org"
	m.Subject = "one\r\nBcc: victim@example.org"
	m.From = "Other <other@example.org>"
	m.Text, m.HTML = ".\n..\nlast", ""
	if err := newSender(t, settings).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if told.count("Bcc") != 0 || told.count("MAIL FROM:<other@example.org>") != 1 ||
		told.count(`RCPT TO:<"odd local"@example.org>`) != 1 || told.count("Message-ID: <muster-1Bccvictimexampleorg@") != 1 {
		t.Errorf("told %q", told.lines)
	}
	if told.count("Content-Type: text/plain") != 1 || told.count("...") != 1 {
		t.Errorf("told %q", told.lines)
	}
	for name, change := range map[string]func(*mail.Message){
		"no receiver":   func(m *mail.Message) { m.To = "" },
		"two receivers": func(m *mail.Message) { m.To = "a@example.org, b@example.org" },
		"no ID":         func(m *mail.Message) { m.ID = "\r\n" },
		"bad sender":    func(m *mail.Message) { m.From = "nobody" },
	} {
		bad := to(t, "ops@example.org")
		change(&bad)
		if failure := failureOf(t, newSender(t, settings).Send(t.Context(), bad), mail.StepMessage); failure.Temporary {
			t.Errorf("%s: %+v", name, failure)
		}
	}
	if err := newSender(t, settings).Send(t.Context()); err != nil {
		t.Errorf("nothing to send: %v", err)
	}
}

// Only a message that was refused by itself is refused for good: the server's settings, or its silence, may change.
func TestFinal(t *testing.T) {
	for _, test := range []struct {
		e     mail.Error
		final bool
	}{
		{mail.Error{Step: mail.StepMessage}, true},
		{mail.Error{Step: mail.StepRecipient, Code: 550}, true},
		{mail.Error{Step: mail.StepContent, Code: 554}, true},
		{mail.Error{Step: mail.StepRecipient, Code: 451, Temporary: true}, false},
		{mail.Error{Step: mail.StepContent, Temporary: true, Uncertain: true}, false},
		{mail.Error{Step: mail.StepContent, Uncertain: true}, false}, // it answered nonsense
		{mail.Error{Step: mail.StepRecipient}, false},
		{mail.Error{Step: mail.StepSender, Code: 550}, false},
		{mail.Error{Step: mail.StepLogin, Code: 535}, false},
		{mail.Error{Step: mail.StepTLS}, false},
		{mail.Error{Step: mail.StepGreeting, Code: 554}, false},
	} {
		if test.e.Final() != test.final {
			t.Errorf("%+v: %v", test.e, !test.final)
		}
	}
}
