package mail

import (
	"bytes"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"muster/internal/report"
)

// envelope is a message as it goes to the server.
type envelope struct {
	from, to string // bare addresses
	wire     []byte // RFC 5322, lines end in CR LF
}

// envelope renders a message. The same message with the same Date gives the same bytes.
func (s *Sender) envelope(m Message) (*envelope, error) {
	if m.From == "" {
		m.From = s.server.From
	}
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return nil, fmt.Errorf("the sender's address %q: %w", m.From, err)
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return nil, fmt.Errorf("the receiver's address %q: %w", m.To, err)
	}
	id := strings.Map(atom, m.ID)
	if id == "" {
		return nil, fmt.Errorf("the message to %s has no ID", to.Address)
	}

	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(id))
	msg.FromMailAddress(from)
	msg.ToMailAddress(to)
	msg.Subject(encodedWords(report.Visible(m.Subject, 0)))
	if m.Date.IsZero() {
		m.Date = time.Now()
	}
	msg.SetDateWithValue(m.Date.UTC())
	msg.SetMessageIDWithValue(id + "@" + s.domain)
	// No vacation notices and no bounces of robots to robots: RFC 3834, section 5, and what Exchange has for it.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	var wire bytes.Buffer
	if _, err := msg.WriteTo(&wire); err != nil {
		return nil, fmt.Errorf("write the message to %s: %w", to.Address, err)
	}
	return &envelope{from: from.Address, to: to.Address, wire: wire.Bytes()}, nil
}

// encodedWords returns a header's text in ASCII: the words that need it, and no others, as encoded words (RFC 2047,
// section 2). A text that is encoded as a whole does not fit beside the header's name, so that its first line stays empty,
// and is read by programs alone.
func encodedWords(text string) string {
	words := strings.Split(text, " ")
	var encoded []string
	for i := 0; i < len(words); {
		if !needsEncoding(words[i]) {
			encoded = append(encoded, words[i])
			i++
			continue
		}
		// The space between two encoded words would not count: it has to be in one of them.
		first := i
		for i < len(words) && needsEncoding(words[i]) {
			i++
		}
		run := mime.QEncoding.Encode("utf-8", strings.Join(words[first:i], " "))
		encoded = append(encoded, strings.ReplaceAll(run, "\r\n", ""))
	}
	return strings.Join(encoded, " ")
}

func needsEncoding(word string) bool {
	return strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r > '~' })
}

// atom keeps the characters that need no quotes in a Message-ID nor in a MIME boundary.
func atom(r rune) rune {
	switch {
	case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '_':
		return r
	}
	return -1
}
