package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/report"
)

// printLogTerms says what the configuration says of a host's logs: which are brought home, what of them is an alert, and
// what is mailed.
func printLogTerms(w io.Writer, h *config.Host) {
	for _, term := range logTerms(h) {
		fmt.Fprintf(w, "%-6s %s\n", term.kind+":", printable(term.text))
	}
}

// logTerm is one thing that the configuration says of a host's logs.
type logTerm struct{ kind, text string }

func logTerms(h *config.Host) []logTerm {
	var terms []logTerm
	for _, l := range h.Logs {
		text := l.Selection()
		if l.Filter.XPath != "" {
			text += ", xpath " + l.Filter.XPath
		}
		terms = append(terms, logTerm{"logs", text + "; " + strings.Join(readingOf(&l), ", ")})
	}
	for _, l := range h.EventLimits {
		terms = append(terms, logTerm{"limit", fmt.Sprintf("%s: above %d within %s", l.Selection(), l.Above,
			config.FormatDuration(l.For))})
	}
	for _, m := range h.MailRecords {
		text := m.Selection() + ", to " + strings.Join(h.Mail, ", ")
		if len(h.Mail) == 0 {
			text = m.Selection() + ", to nobody: there are no receivers"
		}
		terms = append(terms, logTerm{"mail", text})
	}
	return terms
}

// readingOf says how a channel is read.
func readingOf(l *config.Logs) []string {
	var how []string
	switch l.Since {
	case 0:
		how = append(how, "at first from now on")
	case report.SinceAll:
		how = append(how, "at first all there is")
	default:
		how = append(how, "at first the last "+config.FormatDuration(l.Since.Round(time.Millisecond)))
	}
	if !l.Raw {
		how = append(how, "without the raw form")
	}
	if l.Messages {
		how = append(how, "with messages")
	}
	return how
}
