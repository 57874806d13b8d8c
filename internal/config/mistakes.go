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

// note is a mistake or a warning at a byte of a document.
type note struct {
	at      int // offset
	message string
	warning bool
}

// source is a document: the configuration, or what it includes. The bytes of all sources are numbered through, so that an
// offset says which of them it is in.
type source struct {
	file     string
	document []byte
	folder   string // that its relative paths begin at
	access   Access
	base     int     // offset of its first byte
	parent   *source // that includes it; nil: none
	at       int     // offset of the element that includes it
	lines    []int   // offsets in document of the lines' first bytes; made when first asked for
}

// notes collects what there is to say about the documents of a configuration.
type notes struct {
	sources   []*source
	list      []note
	variables []string // of the environment, that hold secrets of the documents, or of those that were read before
	format    *layout  // of all documents; made when first asked for
}

// enter begins a document and says where its bytes are.
func (n *notes) enter(s *source) *source {
	if len(n.sources) > 0 {
		last := n.sources[len(n.sources)-1]
		s.base = last.base + len(last.document) + 1
	}
	n.sources = append(n.sources, s)
	return s
}

// source returns the document that an offset is in.
func (n *notes) source(at int) *source {
	after := sort.Search(len(n.sources), func(i int) bool { return n.sources[i].base > at })
	return n.sources[max(after-1, 0)]
}

// compare orders two offsets as if what is included stood where it is included.
func (n *notes) compare(a, b int) int {
	if len(n.sources) == 1 {
		return cmp.Compare(a, b)
	}
	from, to := n.path(a), n.path(b)
	for i := range min(len(from), len(to)) {
		if order := cmp.Compare(from[i], to[i]); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(from), len(to))
}

// path returns an offset after those of the elements that include its document, the outermost first.
func (n *notes) path(at int) []int {
	path := []int{at}
	for s := n.source(at); s.parent != nil; s = s.parent {
		path = append(path, s.at)
	}
	slices.Reverse(path)
	return path
}

// add notes a mistake at an offset.
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
	slices.SortStableFunc(n.list, func(a, b note) int { return n.compare(a.at, b.at) })
	var picked Mistakes
	for _, note := range n.list {
		if note.warning == warnings {
			line, column := n.position(note.at)
			picked = append(picked, Mistake{File: n.source(note.at).file, Line: line, Column: column, Message: note.message})
		}
	}
	return picked
}

// where returns the place of an offset for a message that stands at another.
func (n *notes) where(at, from int) string {
	if s := n.source(at); s != n.source(from) {
		return fmt.Sprintf("on line %d of %s", n.line(at), quoted(s.file))
	}
	return fmt.Sprintf("on line %d", n.line(at))
}

// line returns the number of the line that an offset is on, in its document.
func (n *notes) line(at int) int {
	line, _ := n.position(at)
	return line
}

func (n *notes) position(at int) (line, column int) {
	s := n.source(at)
	if s.lines == nil {
		s.lines = []int{0}
		for i := 0; ; {
			next := bytes.IndexByte(s.document[i:], '\n')
			if next < 0 {
				break
			}
			i += next + 1
			s.lines = append(s.lines, i)
		}
	}
	at = min(max(at-s.base, 0), len(s.document))
	line = sort.SearchInts(s.lines, at+1)
	before := bytes.TrimPrefix(s.document[s.lines[line-1]:at], []byte(byteOrderMark))
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
