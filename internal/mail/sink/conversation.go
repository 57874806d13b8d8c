package sink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

const (
	idle    = time.Minute // how long a sender may take for one command or one mail
	maxLine = 4096        // bytes of one command
)

// conversation is one connection of a sender.
type conversation struct {
	sink   *Sink
	conn   net.Conn
	reader *bufio.Reader
	mail   Mail
	begun  bool // MAIL was accepted
}

func newConversation(s *Sink, conn net.Conn) *conversation {
	return &conversation{sink: s, conn: conn, reader: bufio.NewReaderSize(conn, maxLine)}
}

func (c *conversation) run() {
	if !c.reply("220 muster mail sink") {
		return
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			c.reply("500 the line is too long")
			return
		}
		if err != nil {
			return
		}
		verb, argument, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		answer := c.command(strings.ToUpper(verb), strings.TrimSpace(argument))
		if !c.reply(answer) || strings.HasPrefix(answer, "221") || strings.HasPrefix(answer, "421") {
			return
		}
	}
}

// reply writes an answer and gives the sender time for what comes next.
func (c *conversation) reply(answer string) bool {
	if c.conn.SetDeadline(time.Now().Add(idle)) != nil {
		return false
	}
	_, err := io.WriteString(c.conn, answer+"\r\n")
	return err == nil
}

// command carries a command out and returns the answer, without the line end.
func (c *conversation) command(verb, argument string) string {
	switch verb {
	case "EHLO":
		c.reset()
		return fmt.Sprintf("250-muster mail sink\r\n250-8BITMIME\r\n250 SIZE %d", MaxSize)
	case "HELO":
		c.reset()
		return "250 muster mail sink"
	case "MAIL":
		return c.from(argument)
	case "RCPT":
		return c.to(argument)
	case "DATA":
		return c.data()
	case "RSET":
		c.reset()
		return "250 forgotten"
	case "NOOP":
		return "250 here"
	case "VRFY":
		return "252 send it and see"
	case "QUIT":
		return "221 goodbye"
	}
	return "502 no such command"
}

func (c *conversation) reset() { c.mail, c.begun = Mail{}, false }

func (c *conversation) from(argument string) string {
	address, ok := path(argument, "FROM:")
	switch {
	case c.begun:
		return "503 there is a sender already"
	case !ok:
		return "501 MAIL FROM:<address>"
	}
	c.mail.From, c.begun = address, true
	return "250 sender taken"
}

func (c *conversation) to(argument string) string {
	address, ok := path(argument, "TO:")
	switch {
	case !c.begun:
		return "503 MAIL first"
	case !ok || address == "":
		return "501 RCPT TO:<address>"
	case len(c.mail.To) >= MaxRecipients:
		return "452 too many recipients"
	}
	c.mail.To = append(c.mail.To, address)
	return "250 recipient taken"
}

// path returns the address in "FROM:<address> parameters".
func path(argument, prefix string) (string, bool) {
	if len(argument) < len(prefix) || !strings.EqualFold(argument[:len(prefix)], prefix) {
		return "", false
	}
	rest, opened := strings.CutPrefix(strings.TrimSpace(argument[len(prefix):]), "<")
	address, _, closed := strings.Cut(rest, ">")
	return address, opened && closed
}

func (c *conversation) data() string {
	if len(c.mail.To) == 0 {
		return "503 RCPT first"
	}
	if !c.reply("354 go on, end with a dot") {
		return "421 gone"
	}
	body := textproto.NewReader(c.reader).DotReader()
	data, err := io.ReadAll(io.LimitReader(body, MaxSize+1))
	if err != nil {
		return "421 the mail was cut"
	}
	mail := c.mail
	c.reset()
	if len(data) > MaxSize {
		// What is left is read so that the sender sees the answer, though within the deadline alone.
		if _, err := io.Copy(io.Discard, body); err != nil {
			return "421 the mail was cut"
		}
		return "552 the mail is too large"
	}
	// DotReader ends lines in LF; on the wire they end in CR LF.
	mail.Data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	if !c.sink.keep(mail) {
		return "452 the sink is full"
	}
	return "250 kept"
}
