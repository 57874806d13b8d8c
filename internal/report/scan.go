package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of any document, whatever is in it.
const (
	maxDepth      = 32 // elements inside each other
	maxAttributes = 32 // attributes of one element, namespace declarations included
)

// ParseError says where in a document something is wrong, and what.
type ParseError struct {
	Document     string // "report" or "request"
	Line, Column int    // counted from 1; a column is a character
	Problem      string

	cause error // ErrTooLarge where it is that
}

// Unwrap returns ErrTooLarge where there are more elements than allowed, otherwise nil.
func (e *ParseError) Unwrap() error { return e.cause }

// Error returns "report: line 3, column 17: …".
func (e *ParseError) Error() string {
	return fmt.Sprintf("%s: line %d, column %d: %s", e.Document, e.Line, e.Column, e.Problem)
}

// token is what scanner.next has found.
type token int

const (
	tokenStart token = iota // an element begins: name, attributes
	tokenEnd                // it ends
	tokenText               // text that is more than white space
	tokenEOF                // the document is complete
)

// attribute is one attribute of an element.
type attribute struct {
	name  string
	value string // references are replaced
	at    int    // where in the document its value begins
}

// scanner walks over an XML document and checks that it is well formed. It knows the part of XML 1.0 that a report needs
// and refuses the rest: document types and so entities, processing instructions, encodings other than UTF-8, names
// beyond ASCII. Namespace prefixes are not resolved.
//
// It exists because a report has to be decoded in a small part of the millisecond that a whole visit may cost:
// encoding/xml needs 0.4 ms for 120 statistics, and would be the larger half of the client's binary besides.
type scanner struct {
	kind  string // of the document, for errors
	doc   string
	pos   int
	stack []string // names of the open elements

	at         int // where the token begins
	name       string
	attributes []attribute // valid until the next token
	rooted     bool        // the root element has begun
	ending     bool        // the start tag ended the element too: <name/>
}

// newScanner begins to read a document. What it returns holds all of the document in memory: strings that are kept
// longer are to be cloned.
func newScanner(kind string, document []byte) (*scanner, error) {
	s := &scanner{kind: kind, doc: string(document)}
	if at := forbiddenByte(s.doc); at >= 0 {
		return nil, s.fail(at, "character that XML forbids, or that is not UTF-8")
	}
	if strings.HasPrefix(s.doc, "<?xml") {
		return s, s.declaration()
	}
	return s, nil
}

// forbiddenByte returns the offset of the first thing that XML 1.0 (section 2.2) or UTF-8 forbids, or -1.
func forbiddenByte(doc string) int {
	for i := 0; i < len(doc); {
		if i+8 <= len(doc) && isPlain(doc[i:i+8]) {
			i += 8
			continue
		}
		c := doc[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(doc[i:])
		if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
			return i
		}
		i += size
	}
	return -1
}

// isPlain says whether eight bytes are all ASCII and no control characters, in one step for all of them: documents are
// large, and nearly everything in them is plain.
func isPlain(b string) bool {
	_ = b[7]
	v := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	const each, high = 0x0101010101010101, 0x8080808080808080
	return (v|(v-each*' '))&high == 0 // taking a space from each borrows where one is less
}

// fail returns an error at an offset. Values in the problem are to be quoted with quote.
func (s *scanner) fail(at int, format string, values ...any) *ParseError {
	before := s.doc[:min(at, len(s.doc))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &ParseError{Document: s.kind, Line: line, Column: column, Problem: fmt.Sprintf(format, values...)}
}

// tooMany is the error of more elements than a bound allows.
func (s *scanner) tooMany(at, most int, elements string) error {
	err := s.fail(at, "there are more than %d %s", most, elements)
	err.cause = ErrTooLarge
	return err
}

// quote makes a value of a stranger fit for an error: short, on one line, without anything a terminal would obey.
func quote(value string) string {
	return fmt.Sprintf("%.48q", value)
}

// next reads to the next token. Comments, and white space between elements, are passed over.
func (s *scanner) next() (token, error) {
	if s.ending {
		s.ending = false
		return s.leave(), nil
	}
	for s.pos < len(s.doc) {
		s.at = s.pos
		rest := s.doc[s.pos:]
		switch {
		case rest[0] != '<':
			blank, err := s.text()
			if err != nil || !blank {
				return tokenText, err
			}
		case strings.HasPrefix(rest, "</"):
			return s.endTag()
		case strings.HasPrefix(rest, "<!--"):
			if err := s.comment(); err != nil {
				return 0, err
			}
		case strings.HasPrefix(rest, openSection):
			return tokenText, s.characterData()
		case strings.HasPrefix(rest, "<!"):
			return 0, s.fail(s.at, "document types and entities are refused")
		case strings.HasPrefix(rest, "<?"):
			return 0, s.fail(s.at, "processing instructions are refused")
		default:
			return s.startTag()
		}
	}
	s.at = s.pos
	switch {
	case len(s.stack) > 0:
		return 0, s.fail(s.pos, "the document ends inside <%s>", s.stack[len(s.stack)-1])
	case !s.rooted:
		return 0, s.fail(s.pos, "the document is empty")
	}
	return tokenEOF, nil
}

// leave ends the innermost element.
func (s *scanner) leave() token {
	s.name = s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	return tokenEnd
}

func (s *scanner) startTag() (token, error) {
	s.pos++
	name, err := s.readName()
	if err != nil {
		return 0, err
	}
	switch {
	case len(s.stack) == 0 && s.rooted:
		return 0, s.fail(s.at, "<%s> comes after the end of the document", name)
	case len(s.stack) == maxDepth:
		return 0, s.fail(s.at, "elements nest deeper than %d", maxDepth)
	}
	s.rooted = true
	s.name = name
	s.stack = append(s.stack, name)
	s.attributes = s.attributes[:0]
	for {
		spaced := s.space()
		rest := s.doc[s.pos:]
		switch {
		case strings.HasPrefix(rest, ">"):
			s.pos++
			return tokenStart, nil
		case strings.HasPrefix(rest, "/>"):
			s.pos += 2
			s.ending = true
			return tokenStart, nil
		case !spaced:
			return 0, s.fail(s.pos, "<%s> is not complete", name)
		}
		if err := s.attribute(); err != nil {
			return 0, err
		}
	}
}

// attribute reads name="value" and adds it to the attributes of the element.
func (s *scanner) attribute() error {
	at := s.pos
	name, err := s.readName()
	if err != nil {
		return err
	}
	for i := range s.attributes {
		if s.attributes[i].name == name {
			return s.fail(at, "attribute %s stands twice", name)
		}
	}
	if len(s.attributes) == maxAttributes {
		return s.fail(at, "an element has more than %d attributes", maxAttributes)
	}
	s.space()
	if !strings.HasPrefix(s.doc[s.pos:], "=") {
		return s.fail(s.pos, "attribute %s has no value", name)
	}
	s.pos++
	s.space()
	if s.pos == len(s.doc) || s.doc[s.pos] != '"' && s.doc[s.pos] != '\'' {
		return s.fail(s.pos, "the value of attribute %s is not quoted", name)
	}
	begin := s.pos + 1
	length := strings.IndexByte(s.doc[begin:], s.doc[s.pos])
	if length < 0 {
		return s.fail(s.pos, "the value of attribute %s has no end", name)
	}
	value := s.doc[begin : begin+length]
	if i := strings.IndexByte(value, '<'); i >= 0 {
		return s.fail(begin+i, "< in the value of attribute %s", name)
	}
	if value, err = s.replaceReferences(begin, value); err != nil {
		return err
	}
	s.pos = begin + length + 1
	s.attributes = append(s.attributes, attribute{name: name, value: value, at: begin})
	return nil
}

func (s *scanner) endTag() (token, error) {
	s.pos += len("</")
	name, err := s.readName()
	if err != nil {
		return 0, err
	}
	if len(s.stack) == 0 || s.stack[len(s.stack)-1] != name {
		return 0, s.fail(s.at, "</%s> ends nothing that is open", name)
	}
	s.space()
	if !strings.HasPrefix(s.doc[s.pos:], ">") {
		return 0, s.fail(s.pos, "</%s> is not complete", name)
	}
	s.pos++
	return s.leave(), nil
}

// readName reads the name of an element or attribute: letters, digits, "_", "-", "." and one colon inside.
func (s *scanner) readName() (string, error) {
	begin := s.pos
	colons, part := 0, begin // part is where the part before or after the colon begins
	for ; s.pos < len(s.doc); s.pos++ {
		c := s.doc[s.pos]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		switch {
		case letter:
		case s.pos > part && ('0' <= c && c <= '9' || c == '-' || c == '.'):
		case s.pos > part && c == ':' && colons == 0:
			colons++
			part = s.pos + 1
		case s.pos > part && c != ':':
			return s.doc[begin:s.pos], nil
		default:
			return "", s.fail(begin, "a name is missing or malformed")
		}
	}
	return "", s.fail(begin, "the document ends inside a name")
}

// space passes over white space and says whether there was any.
func (s *scanner) space() bool {
	begin := s.pos
	for s.pos < len(s.doc) && isSpace(s.doc[s.pos]) {
		s.pos++
	}
	return s.pos > begin
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r'
}
