package config

import (
	"errors"
	"fmt"
	slashes "path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"muster/internal/events"
	"muster/internal/report"
)

// What may stand in the attributes that say which log records are meant.
type (
	channel        string         // journal, file:/path, or a channel of the Windows event log
	eventIDs       report.Events  // as report.ParseEvents reads them
	eventIDsOrNone report.Events  // the same, or none: nil
	levels         []report.Level // any of these
	providers      []string       // each may have ! before it
	logon          string         // an outcome, as package events names them
	xpath          string
	since          time.Duration // as report.LogRequest has it
)

const mostProviders = 100 // of one filter

func (c *channel) parse(text string) error {
	text = trimmed(text)
	*c = channel(text)
	rest, file := cutPrefixFold(text, report.FileChannel)
	switch {
	case text == "":
		return errEmpty
	case utf8.RuneCountInString(text) > report.MaxChannel:
		return fmt.Errorf("must not be longer than %d characters", report.MaxChannel)
	case strings.ContainsFunc(text, unprintable):
		return errControl
	case file && !strings.HasPrefix(text, report.FileChannel):
		return fmt.Errorf("write %s in lower case", report.FileChannel)
	case file:
		return checkLogFile(rest)
	case text != report.Journal && strings.EqualFold(text, report.Journal):
		return fmt.Errorf("did you mean %s?", report.Journal)
	case strings.HasPrefix(text, "/") || isDrive(text):
		return fmt.Errorf("a file is written %s%s", report.FileChannel, shortened(text, longestQuotation))
	case strings.ContainsAny(text, `<>&"|\:'?*`):
		// What the schema of instrumentation manifests (ChannelType) forbids in a channel's name.
		return errors.New(`is no channel: it is journal, file:/path, or a channel of the Windows event log, ` +
			`which has none of < > & " | \ : ' ? * in its name`)
	}
	return nil
}

// isDrive reports whether text begins as a path of Windows does.
func isDrive(text string) bool {
	return len(text) >= 3 && text[1] == ':' && (text[2] == '\\' || text[2] == '/') && 'a' <= text[0]|0x20 && text[0]|0x20 <= 'z'
}

// checkLogFile checks the path of a log file on a host.
func checkLogFile(file string) error {
	switch {
	case !strings.HasPrefix(file, "/") && !isDrive(file) && !strings.HasPrefix(file, `\\`):
		return errors.New(`must be the whole path on the host: file:/var/log/auth.log, or file:C:\logs\app.log`)
	case strings.HasSuffix(file, "/") || strings.HasSuffix(file, `\`):
		return errors.New("is a folder: name a file")
	case strings.HasPrefix(file, "/") && slashes.Clean(file) != file:
		return fmt.Errorf("must be the shortest path: write %s%s", report.FileChannel, shortened(slashes.Clean(file), longestQuotation))
	}
	return nil
}

// windowsLog reports whether the channel is one of the Windows event log.
func (c channel) windowsLog() bool {
	return c != report.Journal && !strings.HasPrefix(string(c), report.FileChannel)
}

// key tells channels apart: those of Windows have the same name in upper and lower case, and so have files there.
func (c channel) key() string {
	rest, file := strings.CutPrefix(string(c), report.FileChannel)
	if file && strings.HasPrefix(rest, "/") {
		return string(c)
	}
	return strings.ToLower(string(c))
}

func (e *eventIDs) parse(text string) error {
	parsed, err := report.ParseEvents(trimmed(text))
	*e = eventIDs(parsed)
	return err
}

func (e *eventIDsOrNone) parse(text string) error {
	if trimmed(text) == none {
		*e = nil
		return nil
	}
	return (*eventIDs)(e).parse(text)
}

func (l *levels) parse(text string) error {
	known := make([]string, 0, len(report.Levels()))
	for _, level := range report.Levels() {
		known = append(known, string(level))
	}
	for item := range strings.SplitSeq(text, ",") {
		var one string
		if err := parseOneOf(&one, item, known...); err != nil {
			return fmt.Errorf("levels with commas between them, each of which %w", err)
		}
		if !slices.Contains(*l, report.Level(one)) {
			*l = append(*l, report.Level(one))
		}
	}
	return nil
}

func (p *providers) parse(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		one, excluded := strings.CutPrefix(trimmed(item), "!")
		one = trimmed(one)
		switch {
		case one == "":
			return errors.New(`must be names with commas between them, each perhaps with ! before it: one is missing`)
		case utf8.RuneCountInString(one) > report.MaxWord:
			return fmt.Errorf("must be names of no more than %d characters", report.MaxWord)
		case strings.ContainsFunc(one, unprintable):
			return errControl
		case len(*p) == mostProviders:
			return fmt.Errorf("must not be more than %d names", mostProviders)
		}
		if excluded {
			one = "!" + one
		}
		*p = append(*p, one)
	}
	return nil
}

func (l *logon) parse(text string) error {
	return parseOneOf((*string)(l), text, events.Failed, events.Accepted, events.Any)
}

func (x *xpath) parse(text string) error {
	text = trimmed(text)
	*x = xpath(text)
	switch {
	case text == "":
		return errEmpty
	case utf8.RuneCountInString(text) > report.MaxXPath:
		return fmt.Errorf("must not be longer than %d characters", report.MaxXPath)
	case strings.ContainsFunc(text, unprintable):
		return errControl
	case strings.HasPrefix(text, "<"):
		return errors.New("must be an XPath: that which a structured query has within <Select>")
	}
	return checkBrackets(text)
}

// checkBrackets checks what can be seen of an XPath without knowing its grammar: that quotes and brackets are closed.
// Whether the event log takes it, which knows a part of XPath 1.0, its host says.
func checkBrackets(text string) error {
	var open []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\'', '"':
			length := strings.IndexByte(text[i+1:], c)
			if length < 0 {
				return fmt.Errorf("the quote %c at character %d is not closed", c, 1+utf8.RuneCountInString(text[:i]))
			}
			i += length + 1
		case '[', '(':
			open = append(open, c)
		case ']', ')':
			// In ASCII "(" and ")" are neighbours, and "[" and "]" one further apart.
			if len(open) == 0 || c-open[len(open)-1] > 2 {
				return fmt.Errorf("the %c at character %d closes nothing", c, 1+utf8.RuneCountInString(text[:i]))
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("a %c is not closed", open[len(open)-1])
	}
	return nil
}

func (s *since) parse(text string) error {
	switch text = trimmed(text); text {
	case "now":
		*s = 0
		return nil
	case "all":
		*s = since(report.SinceAll)
		return nil
	}
	d, err := parseDuration(text)
	*s = since(d)
	switch {
	case errors.Is(err, errDuration):
		return errors.New("must be now, all, or a duration such as 30m, 24h, 2d or 1w")
	case err == nil && d > longestKeep:
		return errors.New("must not be longer than a hundred years: say all")
	}
	return err
}
