package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"muster/internal/config"
	"muster/internal/events"
	"muster/internal/report"
	"muster/internal/store"
)

// Widths of the columns of log records, in cells: of host and channel as much as they need, up to these.
const (
	hostMost    = 24
	channelMost = 30
	levelWidth  = len(report.AuditFailure)
	eventWidth  = 5
	leastText   = 24 // where there is less room for the text, it has a line of its own
)

// logTable prints a line for each record: time, host, channel, level, event and what it says.
type logTable struct {
	w             io.Writer
	width         int // of the terminal; 0: there is none
	raw           bool
	host, channel int // widths so far: lines are printed as they come
	lines         int
}

// newLogTable begins a table. Its columns are as wide as the configuration's names from the first line on.
func newLogTable(w io.Writer, cfg *config.Config, raw bool) *logTable {
	t := &logTable{w: w, width: widthOf(w), raw: raw}
	for i := range cfg.Hosts {
		if len(cfg.Hosts[i].Logs) > 0 {
			t.widen(cfg.Hosts[i].Name, "")
		}
	}
	for _, channel := range channelsOf(cfg) {
		t.widen("", channel)
	}
	return t
}

func (t *logTable) shown() int { return t.lines }

// widen makes the columns wide enough for a host and a channel, within bounds.
func (t *logTable) widen(host, channel string) {
	t.host = max(t.host, min(lipgloss.Width(printable(host)), hostMost))
	t.channel = max(t.channel, min(lipgloss.Width(printable(channel)), channelMost))
}

func (t *logTable) print(line *store.LogLine) error {
	t.lines++
	t.widen(line.Host, line.Channel)
	var at time.Time
	var level, event, text string
	var style lipgloss.Style
	if r := line.Record; r == nil {
		at, level, text = line.Gap.Found, "gap", gapInWords(line.Gap)
		style = style.Foreground(lipgloss.Yellow)
	} else {
		at, level, text = r.Time, string(r.Level), wordsOf(&r.Record)
		style = levelStyle(r.Level)
		if t.raw && r.Raw != "" {
			text = r.Raw
		}
		if r.Event != 0 {
			event = strconv.FormatInt(r.Event, 10)
		}
	}
	columns := strings.Join([]string{
		at.Local().Format("2006-01-02 15:04:05"),
		pad(cut(printable(line.Host), max(t.host, 1)), t.host),
		pad(cut(printable(line.Channel), max(t.channel, 1)), t.channel),
		style.Render(pad(printable(level), levelWidth)),
		fmt.Sprintf("%*s", eventWidth, event),
	}, strings.Repeat(" ", gap))
	_, err := lipgloss.Fprintln(t.w, t.fit(columns, printable(text)))
	return err
}

// fit puts the text behind the columns, within the terminal's width: the text is cut, or goes to a line of its own where
// there is hardly room beside them. The raw form is never cut.
func (t *logTable) fit(columns, text string) string {
	line := columns + strings.Repeat(" ", gap)
	room := t.width - lipgloss.Width(line)
	switch {
	case t.width == 0 || t.raw:
		return strings.TrimRight(line+text, " ")
	case room >= leastText:
		return strings.TrimRight(line+cut(text, room), " ")
	}
	return strings.TrimRight(cutStyled(columns, t.width), " ") + "\n    " + cut(text, max(t.width-4, 1))
}

// cutStyled is cut for a text with colours in it, which it gives up where it has to cut.
func cutStyled(text string, width int) string {
	if lipgloss.Width(text) <= width {
		return text
	}
	return cut(plainText(text), width)
}

// plainText returns a text without the sequences that give it a colour.
func plainText(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, text, _ = strings.Cut(rest, "m")
	}
}

// pad fills a cell with blanks.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-lipgloss.Width(text), 0))
}

// levelStyle is how a level looks on a terminal.
func levelStyle(level report.Level) lipgloss.Style {
	style := lipgloss.NewStyle()
	switch level {
	case report.Emergency, report.AlertLevel, report.Critical, report.Error, report.AuditFailure:
		return style.Foreground(lipgloss.Red)
	case report.Warning:
		return style.Foreground(lipgloss.Yellow)
	case report.Debug, report.Verbose:
		return style.Faint(true)
	}
	return style
}

// wordsOf returns what a record says, with the program or provider before it where the words do not say that.
func wordsOf(r *report.Record) string {
	words := events.Describe(r)
	if _, known := events.Lookup(r); known || r.Source == "" {
		return words
	}
	source := r.Source
	if r.Event == 0 && r.Process != 0 {
		source = fmt.Sprintf("%s[%d]", source, r.Process)
	}
	return source + ": " + words
}

// gapInWords says what is missing.
func gapInWords(g *store.LogGap) string {
	var b strings.Builder
	switch {
	case g.Last == 0:
		fmt.Fprintf(&b, "records from %d on are missing, nobody knows how many", g.First)
	case g.First == g.Last:
		fmt.Fprintf(&b, "record %d is missing", g.First)
	default:
		fmt.Fprintf(&b, "records %d to %d are missing", g.First, g.Last)
	}
	if g.Reason != "" {
		b.WriteString(": " + g.Reason)
	}
	if g.Possible {
		b.WriteString(" (perhaps none that was wanted)")
	}
	return b.String()
}
