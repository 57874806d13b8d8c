package mail_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"muster/internal/mail"
)

// patiently makes an attempt in which a limit is to pass at a step, and again with ever longer ones until it does: all that
// comes before has to be done within it, on a machine that may stall. It returns the last limit and its error.
func patiently(step mail.Step, attempt func(limit time.Duration) error) (time.Duration, error) {
	for limit := 100 * time.Millisecond; ; limit *= 5 {
		err := attempt(limit)
		var failure *mail.Error
		if errors.As(err, &failure) && failure.Step == step || limit > 10*time.Second {
			return limit, err
		}
	}
}

// A server that falls silent at any step costs the timeout of that step and no more: nothing else ends these tests.
func TestSilence(t *testing.T) {
	for _, test := range []struct {
		verb     string
		security string
		step     mail.Step
	}{
		{"greeting", mail.None, mail.StepGreeting},
		{"greeting", mail.TLS, mail.StepTLS},
		{"EHLO", mail.None, mail.StepGreeting},
		{"STARTTLS", mail.STARTTLS, mail.StepTLS},
		{"handshake", mail.STARTTLS, mail.StepTLS},
		{"AUTH", mail.None, mail.StepLogin},
		{"MAIL", mail.None, mail.StepSender},
		{"RCPT", mail.None, mail.StepRecipient},
		{"DATA", mail.None, mail.StepContent},
		{".", mail.None, mail.StepContent},
	} {
		t.Run(test.verb+" "+test.security, func(t *testing.T) {
			t.Parallel()
			s := ordinary().but("EHLO", "250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS").but("AUTH", "235 in").without(test.verb)
			if test.verb == "handshake" {
				s.but("STARTTLS", "220 go")
			}
			settings, _ := fake(t, s)
			settings.Security = test.security
			if test.verb == "AUTH" {
				settings.Username, settings.Password = "muster", password
			}
			limit, err := patiently(test.step, func(limit time.Duration) error {
				settings.Timeout = limit
				return newSender(t, settings).Send(t.Context(), to(t, "ops@example.org"))
			})
			failure := failureOf(t, err, test.step)
			if !failure.Temporary || !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), limit.String()) {
				t.Errorf("%+v", failure)
			}
			if failure.Uncertain != (test.verb == ".") {
				t.Errorf("uncertain: %v", failure.Uncertain)
			}
		})
	}
}

func TestSilentGoodbyeIsNoFailure(t *testing.T) {
	settings, _ := fake(t, ordinary().without("QUIT"))
	settings.Timeout = 2 * time.Second // it is over when that is, and is much where all is answered but the last
	if err := newSender(t, settings).Send(t.Context(), to(t, "ops@example.org")); err != nil {
		t.Fatal(err)
	}
}

// A server that drips its answer byte by byte is not kept alive by that.
func TestDrip(t *testing.T) {
	settings := good()
	settings.Timeout = 200 * time.Millisecond
	settings.Port = listen(t, "127.0.0.1", func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, "2"); err != nil {
				return
			}
			time.Sleep(time.Millisecond) // the drip: it ends when the sender hangs up
		}
	})
	failureOf(t, newSender(t, settings).Check(t.Context()), mail.StepGreeting)
}

func TestEndlessAnswerIsBounded(t *testing.T) {
	settings := good()
	settings.Timeout = time.Minute
	settings.Port = listen(t, "127.0.0.1", func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, strings.Repeat("x", 1<<16)); err != nil {
				return
			}
		}
	})
	failure := failureOf(t, newSender(t, settings).Check(t.Context()), mail.StepGreeting)
	if failure.Temporary || !strings.Contains(failure.Error(), "too much") && !strings.Contains(failure.Error(), "more than") {
		t.Errorf("%+v", failure)
	}
}

// A server that is silent for longer than the caller can wait is at fault, not the caller: the failure says so, and advises
// what the step's own timeout would.
func TestSilenceUntilTheDeadline(t *testing.T) {
	for verb, step := range map[string]mail.Step{"greeting": mail.StepGreeting, "RCPT": mail.StepRecipient, ".": mail.StepContent} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			settings, _ := fake(t, ordinary().without(verb))
			settings.Timeout = time.Hour
			_, err := patiently(step, func(limit time.Duration) error {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				return newSender(t, settings).Send(ctx, to(t, "ops@example.org"))
			})
			failure := failureOf(t, err, step)
			if !failure.Temporary || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer") {
				t.Errorf("%+v", failure)
			}
			if failure.Advice == "" || strings.Contains(failure.Advice, "nothing is wrong") {
				t.Errorf("the advice is %q", failure.Advice)
			}
		})
	}
}

// A context that ends, ends the conversation in the middle.
func TestCancel(t *testing.T) {
	for _, verb := range []string{"greeting", "EHLO", "RCPT", "."} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := errors.New("the server stops")
			s := ordinary().without(verb)
			settings := good()
			settings.Timeout = time.Hour
			play := s.serve(func(line string) {
				if strings.HasPrefix(line, verb) {
					cancel(stop)
				}
			})
			settings.Port = listen(t, "127.0.0.1", func(conn net.Conn) {
				if verb == "greeting" {
					cancel(stop)
				}
				play(conn)
			})
			err := newSender(t, settings).Send(ctx, to(t, "a@example.org"), to(t, "b@example.org"))
			var outcome *mail.SendError
			if !errors.As(err, &outcome) || outcome.Errors[0] == nil || outcome.Errors[1] == nil || !errors.Is(err, stop) {
				t.Fatalf("%v", err)
			}
			if !outcome.Errors[0].Temporary || outcome.Errors[0].Uncertain != (verb == ".") || outcome.Errors[1].Uncertain {
				t.Errorf("%+v", outcome.Errors[0])
			}
		})
	}
}
