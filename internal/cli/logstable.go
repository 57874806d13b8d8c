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

// Widths of the columns of log records, in cells: each is as wide as it has to be, host and channel up to these on a terminal.
const (
	hostMost    = 24
	channelMost = 30
	eventWidth  = 5
	leastText   = 36 // where there is less room for the text, it has a line of its own
)

// logTable prints a line for each record: time, host, channel, level, event and what it says. A column that no record needs,
// such as the event of Windows where there is none, is not there.
type logTable struct {
	w     io.Writer
	width int // of the terminal; 0: there is none
	raw   bool
	host, channel,
	level, event int // widths so far: lines are printed as they come
	lines int
}

// newLogTable begins a table. Its columns are as wide as the configuration's channels need from the first line on.
func newLogTable(w io.Writer, cfg *config.Config, raw bool) *logTable {
	t := &logTable{w: w, width: widthOf(w), raw: raw}
	for i := range cfg.Hosts {
		if len(cfg.Hosts[i].Logs) > 0 {
			t.host = max(t.host, lipgloss.Width(t.hostCell(cfg.Hosts[i].Name)))
		}
	}
	for _, channel := range channelsOf(cfg) {
		t.channel = max(t.channel, lipgloss.Width(t.channelCell(channel)))
		switch {
		case channel == report.Journal:
			t.level = max(t.level, len(report.Information))
		case !strings.HasPrefix(channel, report.FileChannel):
			t.level, t.event = len(report.AuditFailure), eventWidth
		}
	}
	return t
}

func (t *logTable) shown() int { return t.lines }

func (t *logTable) hostCell(host string) string {
	if t.width == 0 {
		return printable(host)
	}
	return cut(printable(host), hostMost)
}

func (t *logTable) channelCell(channel string) string {
	if t.width == 0 {
		return printable(channel)
	}
	return cut(shortChannel(printable(channel)), channelMost)
}

// shortChannel returns a channel, or the name of a limit on its records, as a table shows it.
func shortChannel(channel string) string {
	return report.ShortChannel(channel, channelMost, lipgloss.Width)
}

func (t *logTable) print(line *store.LogLine) error {
	t.lines++
	host, channel := t.hostCell(line.Host), t.channelCell(line.Channel)
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
	cells := []string{at.Local().Format("2006-01-02 15:04:05"), widen(&t.host, host), widen(&t.channel, channel)}
	if cell := widen(&t.level, printable(level)); cell != "" {
		cells = append(cells, style.Render(cell))
	}
	if widen(&t.event, event); t.event > 0 {
		cells = append(cells, fmt.Sprintf("%*s", t.event, event))
	}
	_, err := lipgloss.Fprintln(t.w, t.fit(strings.Join(cells, strings.Repeat(" ", gap)), printable(text)))
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

// widen makes a column as wide as a cell of it needs, and returns the cell, filled with blanks.
func widen(column *int, cell string) string {
	width := lipgloss.Width(cell)
	*column = max(*column, width)
	return cell + strings.Repeat(" ", *column-width)
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
