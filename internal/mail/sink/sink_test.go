package sink_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/mail"
	"muster/internal/mail/sink"
)

func listen(t *testing.T) *sink.Sink {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw is a connection on which a test speaks SMTP itself.
type raw struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, s *sink.Sink) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(s.Host(), strconv.Itoa(s.Port())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	r := &raw{t, conn, bufio.NewReader(conn)}
	r.expect("220")
	return r
}

func (r *raw) expect(code string) {
	r.t.Helper()
	for {
		line, err := r.reader.ReadString('\n')
		if err != nil {
			r.t.Fatalf("waiting for %s: %v", code, err)
		}
		if !strings.HasPrefix(line, code) || !strings.HasSuffix(line, "\r\n") {
			r.t.Fatalf("answer %q, want %s", line, code)
		}
		if line[3] == ' ' {
			return
		}
	}
}

// say sends text as it is, and a line end.
func (r *raw) say(text, code string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text+"\r\n"); err != nil {
		r.t.Fatal(err)
	}
	r.expect(code)
}

func wait(t *testing.T, s *sink.Sink, n int) []sink.Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	mails, err := s.Wait(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

func TestWithASender(t *testing.T) {
	s := listen(t)
	sender, err := mail.New(mail.Server{Host: s.Host(), Port: s.Port(), Security: mail.None, From: "muster@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := mail.Message{ID: "one", To: "ops@example.org", Subject: "Grüße", Text: "a\n.\n..b\n", Date: time.Unix(0, 0)}
	other := m
	other.To = "dev@example.org"
	if err := sender.Send(t.Context(), m, other); err != nil {
		t.Fatal(err)
	}
	mails := wait(t, s, 2)
	if mails[0].From != "muster@example.org" || !slices.Equal(mails[0].To, []string{"ops@example.org"}) ||
		!slices.Equal(mails[1].To, []string{"dev@example.org"}) {
		t.Errorf("%+v", mails)
	}
	if !bytes.HasSuffix(bytes.TrimSpace(mails[0].Data), []byte("a\r\n.\r\n..b")) {
		t.Errorf("%s", mails[0].Data)
	}
}

func TestConversation(t *testing.T) {
	s := listen(t)
	r := dial(t, s)
	r.say("DATA", "503")
	r.say("RCPT TO:<a@example.org>", "503")
	r.say("NONSENSE", "502")
	r.say("AUTH PLAIN AAAA", "502")
	r.say("ehlo me", "250")
	r.say("MAIL FROM:a@example.org", "501")
	r.say("MAIL", "501")
	r.say("mail from: <> SIZE=10", "250")
	r.say("MAIL FROM:<b@example.org>", "503")
	r.say("RCPT TO:<>", "501")
	r.say("DATA", "503")
	r.say("RCPT TO:<a@example.org>", "250")
	r.say("rcpt to:<b@example.org> NOTIFY=NEVER", "250")
	r.say("VRFY a", "252")
	r.say("NOOP", "250")
	r.say("DATA", "354")
	r.say("Subject: x\r\n\r\n..\r\n.. two\r\n...\r\n.", "250")
	r.say("RCPT TO:<a@example.org>", "503") // the mail is done
	r.say("MAIL FROM:<c@example.org>", "250")
	r.say("RSET", "250")
	r.say("RCPT TO:<a@example.org>", "503")
	r.say("HELO me", "250")
	r.say("QUIT", "221")
	if _, err := r.reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after QUIT: %v", err)
	}
	mails := wait(t, s, 1)
	if len(mails) != 1 || mails[0].From != "" || !slices.Equal(mails[0].To, []string{"a@example.org", "b@example.org"}) {
		t.Fatalf("%+v", mails)
	}
	if got, want := string(mails[0].Data), "Subject: x\r\n\r\n.\r\n. two\r\n..\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBounds(t *testing.T) {
	s := listen(t)
	r := dial(t, s)
	r.say("MAIL FROM:<a@example.org>", "250")
	for range sink.MaxRecipients {
		r.say("RCPT TO:<b@example.org>", "250")
	}
	r.say("RCPT TO:<b@example.org>", "452")
	r.say("DATA", "354")
	line := strings.Repeat("x", 1022) + "\r\n" // 1023 bytes when kept with LF alone, 1024 on the wire
	r.say(strings.Repeat(line, 1100)+".", "552")
	r.say("MAIL FROM:<a@example.org>", "250") // the connection goes on
	r.say("RCPT TO:<b@example.org>", "250")
	r.say("DATA", "354")
	r.say(strings.Repeat(line, 1000)+".", "250")
	if mails := s.Mails(); len(mails) != 1 || len(mails[0].Data) != 1000*1024 {
		t.Errorf("%d mails", len(mails))
	}
	r.say(strings.Repeat("y", 10_000), "500")

	r = dial(t, s)
	for i := 1; i <= sink.MaxMails; i++ {
		r.say("MAIL FROM:<a@example.org>", "250")
		r.say("RCPT TO:<b@example.org>", "250")
		r.say("DATA", "354")
		code := "250"
		if i == sink.MaxMails { // one was kept above
			code = "452"
		}
		r.say(fmt.Sprintf("%d\r\n.", i), code)
	}
	if n := len(s.Mails()); n != sink.MaxMails {
		t.Errorf("%d mails kept", n)
	}
}

func TestCutMailIsNotKept(t *testing.T) {
	s := listen(t)
	r := dial(t, s)
	r.say("MAIL FROM:<a@example.org>", "250")
	r.say("RCPT TO:<b@example.org>", "250")
	r.say("DATA", "354")
	if _, err := io.WriteString(r.conn, "half a mail\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r.expect("421")
	if mails := s.Mails(); len(mails) != 0 {
		t.Errorf("kept %q", mails)
	}
}

func TestCloseCutsConnectionsAndWaits(t *testing.T) {
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := dial(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.reader.ReadByte(); err == nil {
		t.Error("a connection outlived the sink")
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort(s.Host(), strconv.Itoa(s.Port()))); err == nil {
		_ = conn.Close()
		t.Error("a closed sink takes connections")
	}
}

func TestListenOnLoopbackAlone(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "nonsense", "127.0.0.1:99999"} {
		if s, err := sink.Listen(address); err == nil {
			_ = s.Close()
			t.Errorf("listens on %s", address)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
