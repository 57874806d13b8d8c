package visit

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"muster/internal/report"
)

const (
	// logLimit bounds the log of a visit, in bytes: a quarter for its beginning, the rest for its end, and for a word on
	// what is missing between them.
	logLimit  = 16 << 10
	headLimit = logLimit / 4
	tailLimit = logLimit - headLimit - 64

	lastLines = 3   // of the log that a failure quotes
	lastLimit = 300 // characters of them
)

// transcript is what a host said besides the report: the beginning and the end of it, whatever its length. The zero value
// is ready for use, by several goroutines.
type transcript struct {
	secret secret // is not shown

	mu   sync.Mutex
	head []byte
	tail []byte // at most twice tailLimit
	lost int    // bytes between head and tail that are gone

	requests []string // that were sent, with the keys of their seals: some hosts repeat what they are sent
}

// conceal has a request that was sent left out of what is shown.
func (t *transcript) conceal(request string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = append(t.requests, request)
}

// Write takes down p. It never fails.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(p), headLimit-len(t.head))
	t.head = append(t.head, p[:n]...)
	for rest := p[n:]; len(rest) > 0; {
		n := min(len(rest), 2*tailLimit-len(t.tail))
		t.tail = append(t.tail, rest[:n]...)
		rest = rest[n:]
		if len(t.tail) == 2*tailLimit {
			t.lost += tailLimit
			t.tail = t.tail[:copy(t.tail, t.tail[tailLimit:])]
		}
	}
	return len(p), nil
}

// note takes down what came before a report, on lines of its own.
func (t *transcript) note(noise []byte) {
	if len(noise) == 0 {
		return
	}
	_, _ = t.Write(noise)
	if noise[len(noise)-1] != '\n' {
		_, _ = t.Write([]byte("\n"))
	}
}

// listen takes down what is read until it ends, however it does.
func (t *transcript) listen(r io.Reader) {
	_, _ = io.CopyBuffer(t, r, make([]byte, 1<<10))
}

// String returns the log without the secret, made printable: line ends stay, whatever else can't be seen is written as an escape. It has at most
// logLimit bytes; what was left out is said where it was.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.head) == 0 {
		return ""
	}
	tail, lost := t.tail, t.lost
	if excess := len(tail) - tailLimit; excess > 0 {
		tail, lost = tail[excess:], lost+excess
	}
	if lost == 0 {
		return fit(t.printable(append(t.head[:len(t.head):len(t.head)], tail...)))
	}
	gap := fmt.Sprintf("\n… %d bytes …\n", lost)
	return fit(t.printable(t.head) + gap + t.printable(tail))
}

// find returns the first line of the log that begins with one of the words, or nothing. It is bounded.
func (t *transcript) find(words ...string) string {
	for line := range strings.SplitSeq(t.String(), "\n") {
		for _, word := range words {
			if strings.HasPrefix(line, word) {
				return report.Visible(line, lastLimit)
			}
		}
	}
	return ""
}

// last returns the last lines of the log as the end of a sentence, or nothing where there is no log.
func (t *transcript) last() string {
	lines := strings.Split(t.String(), "\n")
	text := strings.Join(lines[max(0, len(lines)-lastLines):], " / ")
	if text == "" {
		return ""
	}
	if runes := []rune(text); len(runes) > lastLimit {
		text = "…" + string(runes[len(runes)-lastLimit:])
	}
	return "; its last words: " + text
}

// printable makes text fit for a log, line by line.
func (t *transcript) printable(text []byte) string {
	shown := t.secret.hide(string(text))
	for _, request := range t.requests {
		shown = strings.ReplaceAll(shown, request, "(request)")
	}
	lines := strings.Split(strings.TrimSpace(shown), "\n")
	for i, line := range lines {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", " ")
		lines[i] = report.Visible(line, 0)
	}
	return strings.Join(lines, "\n")
}

// fit cuts the beginning of what has become too long by its escapes.
func fit(text string) string {
	const ellipsis = "…"
	if len(text) <= logLimit {
		return text
	}
	text = text[len(text)-logLimit+len(ellipsis):]
	for !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return ellipsis + text
}
