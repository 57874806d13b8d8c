package mail

import (
	"mime"
	"net/mail"
	"strings"
	"testing"
)

// TestSubjectOnTheWire reads subjects as they are sent: nothing is lost, lines are short, and the first one has text,
// which some programs show alone.
func TestSubjectOnTheWire(t *testing.T) {
	sender, err := New(Server{Host: "127.0.0.1", Port: 25, Security: "none", From: "muster@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{
		"[muster] 1 alert: web1",
		"[muster] 60 alerts: web01, web02, web03, web04, web05, web06, web07, web08, web09, web10, web11, web12 …",
		"[muster] büro-磁盘: temperature coretemp 71 °C (above 70 °C for 1m)",
		"[muster] " + strings.Repeat("磁盘 ", 30) + "end",
		"[muster] " + strings.Repeat("x", 80) + ": disk.usage 93 %",
	} {
		e, err := sender.envelope(Message{ID: "1", To: "ops@example.org", Subject: subject, Text: "text"})
		if err != nil {
			t.Fatal(err)
		}
		_, header, _ := strings.Cut(string(e.wire), "\r\nSubject:")
		first, _, _ := strings.Cut(header, "\r\n")
		if !strings.HasPrefix(first, " [muster] ") && first != " [muster]" {
			t.Errorf("the first line of %q is %q", subject, first)
		}
		for line := range strings.Lines(string(e.wire)) {
			if len(line) > 90 {
				t.Errorf("a line of %d bytes: %q", len(line), line)
			}
		}
		read, err := mail.ReadMessage(strings.NewReader(string(e.wire)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
		if err != nil || got != subject {
			t.Errorf("got  %q, %v\nwant %q", got, err, subject)
		}
	}
}
