package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// quitTimeout bounds the goodbye: by then everything that matters is done.
const quitTimeout = 5 * time.Second

// maxReplies is how much a server may say in one session.
const maxReplies = 1 << 20

var errTooMuch = errors.New("the server says more than a mail server has to say")

// session is one connection, greeted, encrypted and logged in as the server's settings say.
//
// It speaks through go-mail's smtp.Client and not through its mail.Client. That one hides the step and the cause of a
// failure, and reports a message as failed that was accepted when what comes after it fails: it would be sent twice.
type session struct {
	sender *Sender
	raw    net.Conn     // what deadlines are set on
	stream net.Conn     // raw, or TLS over it
	client *smtp.Client // over stream
	stop   func() bool  // ends the watch over the context
	lost   *Error       // what made the connection unusable; nil: nothing
}

// boundedConn ends a conversation in which the server says too much.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// open connects. The connection is closed when ctx ends, and by close.
func (s *Sender) open(ctx context.Context) (*session, *Error) {
	dialer := net.Dialer{Timeout: s.server.Timeout}
	conn, err := dialer.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, s.failure(ctx, StepConnect, err)
	}
	c := &session{sender: s, raw: conn, stream: &boundedConn{Conn: conn, left: maxReplies}}
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	for _, step := range []struct {
		step Step
		do   func(context.Context) error
	}{
		{StepTLS, c.startWithTLS},
		{StepGreeting, c.greet},
		{StepTLS, c.startTLS},
		{StepLogin, c.logIn},
	} {
		if err := c.step(ctx, step.step, func() error { return step.do(ctx) }); err != nil {
			c.hangUp()
			return nil, err
		}
	}
	return c, nil
}

// step runs one exchange with the server within the timeout.
func (c *session) step(ctx context.Context, step Step, exchange func() error) *Error {
	err := c.raw.SetDeadline(time.Now().Add(c.sender.server.Timeout))
	if err == nil {
		err = exchange()
	}
	if err == nil {
		return nil
	}
	failure := c.sender.failure(ctx, step, err)
	const closing = 421 // "Service not available, closing transmission channel", RFC 5321
	if failure.Code == 0 || failure.Code == closing {
		c.lost = failure
	}
	return failure
}

func (c *session) startWithTLS(ctx context.Context) error {
	if c.sender.server.Security != TLS {
		return nil
	}
	encrypted := tls.Client(c.stream, c.sender.tls)
	c.stream = encrypted
	return encrypted.HandshakeContext(ctx)
}

func (c *session) greet(context.Context) error {
	client, err := smtp.NewClient(c.stream, c.sender.server.Host)
	if err != nil {
		return err
	}
	c.client = client
	return client.Hello(c.sender.name)
}

func (c *session) startTLS(context.Context) error {
	if c.sender.server.Security != STARTTLS {
		return nil
	}
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		return errNoSTARTTLS
	}
	return c.client.StartTLS(c.sender.tls)
}

func (c *session) logIn(context.Context) error {
	s := &c.sender.server
	if s.Username == "" {
		return nil
	}
	_, offered := c.client.Extension("AUTH")
	mechanism := mechanism(s, strings.Fields(strings.ToUpper(offered)), s.Security != None, isLoopback(c.raw.RemoteAddr()))
	if mechanism == nil {
		return fmt.Errorf("%w (it offers %q)", errNoMechanism, c.sender.printable(offered))
	}
	return c.client.Auth(mechanism)
}

// deliver hands one message over. After a nil the server has taken responsibility for it.
func (c *session) deliver(ctx context.Context, e *envelope) *Error {
	c.client.SkipSMTPUTF8(isASCII(e.from) && isASCII(e.to))
	err := c.step(ctx, StepSender, func() error { return c.client.Mail(angle(e.from)) })
	if err == nil {
		err = c.step(ctx, StepRecipient, func() error { return c.client.Rcpt(angle(e.to)) })
	}
	if err == nil {
		err = c.content(ctx, e.wire)
	}
	if err != nil && c.lost == nil {
		// What follows starts afresh. If that fails the connection is lost, and that is all it means.
		_ = c.step(ctx, StepSender, c.client.Reset)
	}
	return err
}

func (c *session) content(ctx context.Context, wire []byte) *Error {
	handedOver := false
	err := c.step(ctx, StepContent, func() error {
		w, err := c.client.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(wire); err != nil {
			return err
		}
		handedOver = true
		return w.Close()
	})
	if err != nil {
		err.Uncertain = handedOver && err.Code == 0
	}
	return err
}

// close says goodbye and closes the connection.
func (c *session) close() {
	if c.lost == nil && c.raw.SetDeadline(time.Now().Add(min(quitTimeout, c.sender.server.Timeout))) == nil {
		_ = c.client.Quit()
	}
	c.hangUp()
}

func (c *session) hangUp() {
	c.stop()
	_ = c.raw.Close()
}

func angle(address string) string { return (&mail.Address{Address: address}).String() }

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
