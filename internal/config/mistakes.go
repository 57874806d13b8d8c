package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

const (
	shown            = 200 // mistakes that Error lists
	longestMessage   = 500 // characters
	longestQuotation = 80  // characters
)

// Mistake is one thing that is wrong in a document, and what to do about it. Line and Column begin at 1; columns count
// characters. An attribute's mistake lies where its name begins, an element's at its "<".
type Mistake struct {
	File    string
	Line    int
	Column  int
	Message string
}

// String returns the mistake as file:line:column: message, which editors and terminals can follow.
func (m Mistake) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
}

// Mistakes is everything that is wrong in a document, in the order of the document.
type Mistakes []Mistake

// Error returns one mistake a line, and the number of those beyond the two-hundredth.
func (m Mistakes) Error() string {
	lines := make([]string, 0, min(len(m), shown)+1)
	for _, mistake := range m[:min(len(m), shown)] {
		lines = append(lines, mistake.String())
	}
	if len(m) > shown {
		lines = append(lines, fmt.Sprintf("… and %d more", len(m)-shown))
	}
	return strings.Join(lines, "\n")
}

// note is a mistake or a warning at a byte of the document.
type note struct {
	at      int
	message string
	warning bool
}

// notes collects what there is to say about a document.
type notes struct {
	file     string
	document []byte
	list     []note
	lines    []int // offsets of the lines' first bytes; made when first asked for
}

func newNotes(file string, document []byte) *notes {
	return &notes{file: file, document: document}
}

// add notes a mistake at an offset of the document.
func (n *notes) add(at int, format string, arguments ...any) {
	n.list = append(n.list, note{at: at, message: shortened(fmt.Sprintf(format, arguments...), longestMessage)})
}

// wrong notes a mistake in an attribute's value and marks the attribute as unusable.
func (n *notes) wrong(m *mark, format string, arguments ...any) {
	m.wrong = true
	n.add(m.at, "%s: %s", m, fmt.Sprintf(format, arguments...))
}

// warn notes what is allowed but hardly meant.
func (n *notes) warn(at int, format string, arguments ...any) {
	n.add(at, format, arguments...)
	n.list[len(n.list)-1].warning = true
}

func (n *notes) mistakes() Mistakes { return n.pick(false) }
func (n *notes) warnings() Mistakes { return n.pick(true) }

func (n *notes) pick(warnings bool) Mistakes {
	slices.SortStableFunc(n.list, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	var picked Mistakes
	for _, note := range n.list {
		if note.warning == warnings {
			line, column := n.position(note.at)
			picked = append(picked, Mistake{File: n.file, Line: line, Column: column, Message: note.message})
		}
	}
	return picked
}

// line returns the number of the line that holds an offset.
func (n *notes) line(at int) int {
	line, _ := n.position(at)
	return line
}

func (n *notes) position(at int) (line, column int) {
	if n.lines == nil {
		n.lines = []int{0}
		for i := 0; ; {
			next := bytes.IndexByte(n.document[i:], '\n')
			if next < 0 {
				break
			}
			i += next + 1
			n.lines = append(n.lines, i)
		}
	}
	at = min(max(at, 0), len(n.document))
	line = sort.SearchInts(n.lines, at+1)
	before := bytes.TrimPrefix(n.document[n.lines[line-1]:at], []byte(byteOrderMark))
	return line, utf8.RuneCount(before) + 1
}

// quoted returns text of the document for a message: quoted, without control characters, and not too long.
func quoted(text string) string {
	return fmt.Sprintf("%q", shortened(text, longestQuotation))
}

// shortened returns the first characters of text, and a sign where that is not all.
func shortened(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
