package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/mail"
	"muster/internal/testserver"
)

const password = "correcthorse"

func exim(t *testing.T, o testserver.SMTPOptions) (*testserver.SMTPServer, mail.Server) {
	t.Helper()
	s := testserver.SMTP(t, o)
	return s, mail.Server{
		Host: s.Host, Port: s.Port, Security: mail.STARTTLS, Username: o.Username, Password: o.Password,
		From: "Muster <muster@example.org>", CA: s.CA, Timeout: time.Minute,
	}
}

func newSender(t *testing.T, s mail.Server) *mail.Sender {
	t.Helper()
	sender, err := mail.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

// to returns a message to a receiver.
func to(t *testing.T, receiver string) mail.Message {
	t.Helper()
	d := fleet()
	d.To = receiver
	return render(t, d)
}

// failureOf returns the only failure in what Send returned, and checks that it names what it should.
func failureOf(t *testing.T, err error, step mail.Step) *mail.Error {
	t.Helper()
	var failure *mail.Error
	if !errors.As(err, &failure) {
		t.Fatalf("%v is no *mail.Error", err)
	}
	if failure.Step != step || failure.Advice == "" || failure.Help() != failure.Advice || failure.Err == nil {
		t.Fatalf("failure at %q, want %q: %+v", failure.Step, step, failure)
	}
	if strings.Contains(err.Error(), password) {
		t.Fatalf("the password is in %q", err)
	}
	return failure
}

func TestSendThroughExim(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{Username: "muster", Password: password})
	for name, change := range map[string]func(*mail.Server){
		"STARTTLS": func(*mail.Server) {},
		"TLS":      func(s *mail.Server) { s.Security, s.Port = mail.TLS, server.TLSPort },
		"by name":  func(s *mail.Server) { s.Host = "localhost" },
	} {
		t.Run(name, func(t *testing.T) {
			s := settings
			change(&s)
			sender := newSender(t, s)
			if err := sender.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := len(server.Messages(t, 0))
			m := to(t, "Operations <ops@example.org>")
			if err := sender.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			checkMail(t, server.Messages(t, before+1)[before], m)
		})
	}
}

// checkMail compares what was delivered with the message that was sent.
func checkMail(t *testing.T, got testserver.SMTPMail, m mail.Message) {
	t.Helper()
	if got.From != "muster@example.org" || got.To != "ops@example.org" {
		t.Errorf("from %q to %q", got.From, got.To)
	}
	if !strings.Contains(got.Header.Get("Received"), "esmtpsa") {
		t.Errorf("neither encrypted nor authenticated: %s", got.Header.Get("Received"))
	}
	for header, want := range map[string]string{
		"From": `"Muster" <muster@example.org>`, "To": `"Operations" <ops@example.org>`,
		"Message-Id": "<" + m.ID + "@example.org>", "Date": "Sun, 01 Mar 2026 12:00:03 +0000",
		"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "Mime-Version": "1.0",
	} {
		if values := got.Header[header]; len(values) != 1 || values[0] != want {
			t.Errorf("%s: %q, want %q", header, values, want)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != m.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	kind, parameters, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", kind, err)
	}
	parts := multipart.NewReader(strings.NewReader(string(got.Body)), parameters["boundary"])
	for _, want := range []struct{ kind, text string }{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(part.Header.Get("Content-Type"), want.kind) ||
			!strings.Contains(strings.ToLower(part.Header.Get("Content-Type")), "charset=utf-8") {
			t.Errorf("a part of %s, want %s", part.Header.Get("Content-Type"), want.kind)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) != strings.TrimSpace(want.text) {
			t.Errorf("%s: %v\n%s", want.kind, err, text)
		}
	}
	for line := range strings.SplitSeq(string(got.Raw), "\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestEveryMechanism(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			server, settings := exim(t, testserver.SMTPOptions{
				Username: "muster", Password: password, Mechanisms: []string{mechanism},
			})
			if err := newSender(t, settings).Send(t.Context(), to(t, "ops@example.org")); err != nil {
				t.Fatal(err)
			}
			server.Messages(t, 1)
			settings.Password = "wrong" + password
			failure := failureOf(t, newSender(t, settings).Check(t.Context()), mail.StepLogin)
			if failure.Code != 535 || failure.Temporary || !strings.Contains(failure.Advice, "password") {
				t.Errorf("%+v", failure)
			}
		})
	}
}

func TestServerWithoutLogin(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{})
	for _, security := range []string{mail.None, mail.STARTTLS} {
		settings.Security = security
		if err := newSender(t, settings).Send(t.Context(), to(t, "ops@example.org")); err != nil {
			t.Fatalf("%s: %v", security, err)
		}
	}
	server.Messages(t, 2)
	settings.Username, settings.Password = "muster", password
	failure := failureOf(t, newSender(t, settings).Send(t.Context(), to(t, "ops@example.org")), mail.StepLogin)
	if failure.Temporary || !strings.Contains(failure.Advice, "remove username") {
		t.Errorf("%+v", failure)
	}
}

func TestRefusals(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{Username: "muster", Password: password})
	sender := newSender(t, settings)
	nobody := to(t, "ops@example.org")
	nobody.To = "ops@example.org\r\nBcc: x@example.org"
	err := sender.Send(t.Context(), to(t, "first@example.org"), to(t, "refused@example.org"), nobody,
		to(t, "later@example.org"), to(t, "last@example.org"))
	var outcome *mail.SendError
	if !errors.As(err, &outcome) || len(outcome.Errors) != 5 {
		t.Fatalf("%v", err)
	}
	if outcome.Errors[0] != nil || outcome.Errors[4] != nil {
		t.Errorf("one refused mail kept the others back: %v", outcome.Errors)
	}
	refused, address, later := outcome.Errors[1], outcome.Errors[2], outcome.Errors[3]
	if refused.Step != mail.StepRecipient || refused.Code != 550 || refused.Temporary ||
		!strings.Contains(refused.Error(), "no such mailbox") || !strings.Contains(refused.Advice, "address") {
		t.Errorf("%+v", refused)
	}
	if address.Step != mail.StepMessage || address.Code != 0 || address.Temporary {
		t.Errorf("%+v", address)
	}
	if later.Step != mail.StepRecipient || later.Code != 451 || !later.Temporary || later.Uncertain {
		t.Errorf("%+v", later)
	}
	var reply *textproto.Error
	if !errors.As(refused, &reply) || reply.Code != 550 {
		t.Errorf("no *textproto.Error in %#v", refused.Err)
	}
	if text := err.Error(); !strings.Contains(text, "3 of 5") {
		t.Errorf("%s", text)
	}
	var receivers []string
	for _, m := range server.Messages(t, 2) {
		receivers = append(receivers, m.To)
	}
	slices.Sort(receivers)
	if !slices.Equal(receivers, []string{"first@example.org", "last@example.org"}) {
		t.Errorf("delivered to %q", receivers)
	}
}

func TestServerThatTakesFewMailsOverOneConnection(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{MaxPerConnection: 2})
	var messages []mail.Message
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		messages = append(messages, to(t, name+"@example.org"))
	}
	if err := newSender(t, settings).Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	if n := len(server.Messages(t, 5)); n != 5 {
		t.Errorf("%d mails", n)
	}
}

func TestCertificates(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{Username: "muster", Password: password})
	other := testserver.SMTP(t, testserver.SMTPOptions{})
	for name, test := range map[string]struct {
		change func(*mail.Server)
		advice string
	}{
		"unknown to the system": {func(s *mail.Server) { s.CA = "" }, "ca="},
		"another authority":     {func(s *mail.Server) { s.CA = other.CA }, "ca="},
		"another name":          {func(s *mail.Server) { s.Host = "127.0.0.2" }, "name for host"},
	} {
		for _, security := range []string{mail.STARTTLS, mail.TLS} {
			t.Run(name+" "+security, func(t *testing.T) {
				s := settings
				s.Security = security
				if security == mail.TLS {
					s.Port = server.TLSPort
				}
				test.change(&s)
				if s.Host != settings.Host {
					s.Port = forward(t, s.Host, server.Host, s.Port)
				}
				failure := failureOf(t, newSender(t, s).Send(t.Context(), to(t, "ops@example.org")), mail.StepTLS)
				if failure.Temporary || !strings.Contains(failure.Advice, test.advice) {
					t.Errorf("%+v", failure)
				}
			})
		}
	}
	if mails := server.Messages(t, 0); len(mails) != 0 {
		t.Errorf("%d mails went to a server that is not verified", len(mails))
	}
}

func TestOutage(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{Username: "muster", Password: password})
	sender := newSender(t, settings)
	server.Stop()
	m := to(t, "ops@example.org")
	failure := failureOf(t, sender.Send(t.Context(), m, m), mail.StepConnect)
	if !failure.Temporary || failure.Code != 0 || !strings.Contains(failure.Error(), "refused") {
		t.Errorf("%+v", failure)
	}
	failureOf(t, sender.Check(t.Context()), mail.StepConnect)
	server.Start()
	if err := sender.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	server.Messages(t, 1)
}

func TestCancelledBeforeItBegins(t *testing.T) {
	_, settings := exim(t, testserver.SMTPOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newSender(t, settings).Send(ctx, to(t, "ops@example.org"))
	if failure := failureOf(t, err, mail.StepConnect); !errors.Is(err, context.Canceled) || !failure.Temporary {
		t.Errorf("%+v", failure)
	}
}

// The same message is the same bytes, so that whoever gets it twice can tell.
func TestSentAgainItIsTheSame(t *testing.T) {
	server, settings := exim(t, testserver.SMTPOptions{})
	m := to(t, "ops@example.org")
	for range 2 {
		if err := newSender(t, settings).Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	mails := server.Messages(t, 2)
	if string(mails[0].Body) != string(mails[1].Body) {
		t.Error("the bodies differ")
	}
	for _, header := range []string{"Message-Id", "Date", "Subject", "Content-Type"} {
		if a, b := mails[0].Header.Get(header), mails[1].Header.Get(header); a != b || a == "" {
			t.Errorf("%s: %q and %q", header, a, b)
		}
	}
	if _, err := os.Stat(server.CA); err != nil {
		t.Error(err)
	}
}
