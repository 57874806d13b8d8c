package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
)

// Letter is a mail that tells of alerts and of log records.
type Letter struct {
	ID       string // its Message-ID
	To       string // the receiver's address
	Mentions []Mention
	Records  []HostLine // that it shows
	Counted  int        // log records that it tells of by their number alone
}

// Mention is a line of a letter that tells of an alert. Every host of the bench has a receiver of its own, so it need not
// name its host.
type Mention struct {
	Statistic string
	Over      bool
	Minute    string // when the alert began, or ended: 2026-03-01 11:52
}

const minutes = "2006-01-02 15:04"

// ParseLetter reads a mail as it was delivered to a receiver. A mail that tells of nothing has no mentions and no records.
// One that does not show all alerts that it tells of is an error, since the books can't be kept with it.
func ParseLetter(raw []byte, to string) (Letter, error) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Letter{}, fmt.Errorf("mail to %s: %w", to, err)
	}
	letter := Letter{ID: message.Header.Get("Message-Id"), To: to}
	text, err := plainText(message)
	if err != nil {
		return Letter{}, fmt.Errorf("mail %s to %s: %w", letter.ID, to, err)
	}
	return letter, letter.read(text)
}

// The sections of a letter's text. In each there are groups with a heading, and in these lines.
const (
	sectionRaised  = "EXCEEDED"
	sectionOver    = "OVER"
	sectionRecords = "LOG RECORDS"
)

// read reads a letter's text.
func (l *Letter) read(text string) error {
	section, statistic := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch line {
		case "":
		case sectionRaised, sectionOver, sectionRecords:
			section = line
		default:
			switch {
			case section == sectionRecords:
				l.readRecord(line)
			case section == "":
			case strings.HasPrefix(line, leftOut), strings.HasPrefix(line, "  and ") && strings.HasSuffix(line, " more"):
				return errors.New("it does not show all of its alerts")
			case !strings.HasPrefix(line, " "):
				statistic = statisticOf(line)
			default:
				l.readAlert(line, statistic, section == sectionOver)
			}
		}
	}
	return nil
}

// leftOut begins the line that says how much a letter does not show.
const leftOut = "Not in this mail: "

// statisticOf returns the statistic that a heading is of.
func statisticOf(heading string) string {
	switch word, _, _ := strings.Cut(heading, " "); word {
	case "Hosts":
		return VisitFailed
	case "Log":
		return LogsMatches
	default:
		return word
	}
}

func (l *Letter) readAlert(line, statistic string, over bool) {
	row := regexp.MustCompile(`^ {2}\S.*\b(since|until) (\d{4}-\d\d-\d\d \d\d:\d\d)`)
	if match := row.FindStringSubmatch(line); match != nil {
		l.Mentions = append(l.Mentions, Mention{statistic, over, match[2]})
	}
}

// readRecord reads a line of the section of log records: a row that names the host, or what the record says, which stands
// below it, or how many more there are than are shown.
func (l *Letter) readRecord(line string) {
	row := regexp.MustCompile(`^ {2}(\S+) .*\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).FindStringSubmatch(line)
	number := regexp.MustCompile(`^` + leftOut + `(\d+) more log record`).FindStringSubmatch(line)
	last := len(l.Records) - 1
	switch {
	case row != nil:
		l.Records = append(l.Records, HostLine{Host: row[1]})
	case number != nil:
		n, err := strconv.Atoi(number[1])
		if err == nil {
			l.Counted += n
		}
	case strings.HasPrefix(line, "      ") && last >= 0 && l.Records[last].Line == 0:
		l.Records[last].Line = LineOf(line)
	}
}

// plainText returns the text part of a mail.
func plainText(message *mail.Message) (string, error) {
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return decoded(message.Header.Get("Content-Transfer-Encoding"), message.Body)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return "", fmt.Errorf("it has no text: %w", err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			return decoded(part.Header.Get("Content-Transfer-Encoding"), part)
		}
	}
}

func decoded(encoding string, body io.Reader) (string, error) {
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	return string(text), err
}
