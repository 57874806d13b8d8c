package mail

import (
	"strings"
	"unicode/utf8"
)

// Widths of the text, in characters.
const (
	maxLine   = 77 // where words are wrapped
	maxColumn = 30 // from which a cell no longer widens its column
)

// Lines returns the group's rows as lines of text with aligned columns, without the last line end.
func (g group) Lines() string {
	var table [][]string
	for _, r := range g.Rows {
		name := r.Host
		if r.Instance != "" {
			name += " " + r.Instance
		}
		table = append(table, []string{name, r.Value, r.When, r.Groups})
	}
	var lines []string
	for i, line := range align(table) {
		lines = append(lines, "  "+line)
		lines = append(lines, wrap(g.Rows[i].Words, "      ", maxLine)...)
	}
	return strings.Join(lines, "\n")
}

// Heading returns the group's title and limit, and how many rows it has.
func (g group) Heading() string { return strings.TrimSuffix(g.Title+" "+g.Limit, " ") }

// align joins the cells of each row, padded to the widths of their columns. A column that is empty takes no room.
func align(table [][]string) []string {
	var widths []int
	for _, cells := range table {
		for len(widths) < len(cells) {
			widths = append(widths, 0)
		}
		for i, cell := range cells {
			widths[i] = max(widths[i], min(utf8.RuneCountInString(cell), maxColumn))
		}
	}
	lines := make([]string, 0, len(table))
	for _, cells := range table {
		var b strings.Builder
		for i, cell := range cells {
			if widths[i] == 0 {
				continue
			}
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(cell), 0)+2))
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// wrap breaks text at spaces into lines of at most width characters that begin with indent. A word that is too long
// stays in one piece.
func wrap(text, indent string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line == "" {
			line = indent + word
			continue
		}
		line += " " + word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
