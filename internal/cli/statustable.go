package cli

import (
	"io"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"muster/internal/store"
)

// gap is what stands between two columns, in cells.
const gap = 2

// column is a column of the table of hosts, a cell for each host.
type column struct {
	title string
	right bool // its numbers end below one another
	cells []string
	width int // of the widest cell
}

// columnsOf returns the table's columns in full.
func columnsOf(hosts []store.HostStatus, now time.Time) []column {
	columns := []column{
		{title: "HOST"}, {title: "GROUP"}, {title: "LAST VISIT"}, {title: "CPU", right: true},
		{title: "MEMORY", right: true}, {title: "UPTIME", right: true}, {title: "ALERTS"},
	}
	for _, h := range hosts {
		for i, cell := range []string{
			printable(h.Host), printable(h.Groups), lastVisit(h, now), latest(h, "cpu.usage"),
			latest(h, "memory.usage"), latest(h, "uptime"), alertsOf(h),
		} {
			columns[i].cells = append(columns[i].cells, cell)
		}
	}
	for i := range columns {
		c := &columns[i]
		c.width = lipgloss.Width(c.title)
		for _, cell := range c.cells {
			c.width = max(c.width, lipgloss.Width(cell))
		}
	}
	return columns
}

// fit makes the columns fit into so many cells, zero being any number: what is said elsewhere is shortened first, and what
// is missed least is left out, until all that is left fits. In the end the host, its last visit and its alerts stay.
func fit(columns []column, width int) []column {
	for _, step := range []struct {
		title string
		least int // to which it may be shortened; 0: it is left out
	}{
		{"ALERTS", 20}, {"GROUP", 0}, {"UPTIME", 0}, {"LAST VISIT", 16}, {"HOST", 20}, {"MEMORY", 0}, {"CPU", 0},
		{"ALERTS", 8}, {"LAST VISIT", 10}, {"HOST", 8}, {"ALERTS", 0}, {"LAST VISIT", 0},
	} {
		excess := -gap
		for _, c := range columns {
			excess += c.width + gap
		}
		if excess -= width; width <= 0 || excess <= 0 {
			break
		}
		i := slices.IndexFunc(columns, func(c column) bool { return c.title == step.title })
		if step.least == 0 {
			columns = slices.Delete(columns, i, i+1)
		} else {
			columns[i].width = min(columns[i].width, max(columns[i].width-excess, step.least))
		}
	}
	return columns
}

// cut returns what of a cell fits into so many cells of the terminal, with a mark where that is not all.
func cut(text string, width int) string {
	if lipgloss.Width(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && lipgloss.Width(string(runes))+1 > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// printTable prints a line for each host, at most width cells wide, in colour where w is a terminal.
func printTable(w io.Writer, hosts []store.HostStatus, now time.Time, width int) error {
	columns := fit(columnsOf(hosts, now), width)
	rows := table.New().
		Border(lipgloss.NormalBorder()).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderColumn(false).BorderRow(false)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = cut(c.title, c.width)
	}
	rows.Headers(titles...)
	for i := range hosts {
		cells := make([]string, len(columns))
		for j, c := range columns {
			cells[j] = cut(c.cells[i], c.width)
		}
		rows.Row(cells...)
	}
	rows.StyleFunc(func(row, i int) lipgloss.Style {
		style := lipgloss.NewStyle()
		if i < len(columns)-1 {
			style = style.PaddingRight(gap)
		}
		if columns[i].right {
			style = style.AlignHorizontal(lipgloss.Right)
		}
		if row == table.HeaderRow {
			return style.Bold(true)
		}
		return style.Inherit(colour(columns[i].title, hosts[row]))
	})
	_, err := lipgloss.Fprintln(w, trimLines(rows.String()))
	return err
}

// colour shows what is wrong with a host, and which values are not of its last visit.
func colour(title string, h store.HostStatus) lipgloss.Style {
	style := lipgloss.NewStyle()
	switch {
	case title == "LAST VISIT" && h.Kind != "", title == "ALERTS" && len(h.Alerts) > 0:
		return style.Foreground(lipgloss.Red)
	case title == "LAST VISIT" && h.Visited.IsZero():
		return style.Foreground(lipgloss.Yellow)
	case h.Kind != "" && (title == "CPU" || title == "MEMORY" || title == "UPTIME"):
		return style.Faint(true)
	}
	return style
}

func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
