package winevent

import (
	"fmt"
	"strings"
)

// maxDepth bounds how deep elements may stand inside each other; what is deeper is not read.
const maxDepth = 32

// token is what scanner.next has found.
type token int

const (
	tokenEOF   token = iota // there is nothing more
	tokenStart              // an element begins: name, attributes
	tokenEnd                // the innermost element ends
	tokenText               // text, which may be white space alone
)

// attribute is one attribute of an element.
type attribute struct {
	name string
	raw  string // its value, its references not replaced
}

// scanner walks over the XML of one event. It never fails: what is malformed it takes for what it probably is, and
// remembers the first such place. Whatever the text, each start has its end, and the end of the text comes after them.
// That is why it is not the scanner of package report, which refuses what is malformed.
type scanner struct {
	doc   string
	pos   int
	stack []string // names of the open elements

	name       string // of the element that has begun
	attributes []attribute
	text       string // its references are replaced
	ends       int    // so many ends are due before anything else

	problem error // the first
	broken  bool  // a reference to a character that XML forbids was replaced

	names [maxDepth]string // where the stack is: no allocation
	room  [8]attribute     // likewise
}

// next reads to the next token.
func (s *scanner) next() token {
	for {
		if s.ends > 0 {
			s.ends--
			s.stack = s.stack[:len(s.stack)-1]
			return tokenEnd
		}
		if s.pos == len(s.doc) {
			if len(s.stack) == 0 {
				return tokenEOF
			}
			s.note("it ends inside <" + s.stack[len(s.stack)-1] + ">")
			s.ends = len(s.stack)
			continue
		}
		if s.doc[s.pos] != '<' {
			s.characters(0)
			return tokenText
		}
		if found, is := s.markup(); is {
			return found
		}
	}
}

// markup reads what begins with "<". It returns false where that is nothing to tell of.
func (s *scanner) markup() (token, bool) {
	rest := s.doc[s.pos:]
	if len(rest) > 1 {
		switch rest[1] {
		case '/':
			s.endTag()
			return 0, false
		case '!':
			if strings.HasPrefix(rest, "<![CDATA[") {
				s.characterData()
				return tokenText, true
			}
			if strings.HasPrefix(rest, "<!--") {
				s.passTo(len("<!--"), "-->")
			} else {
				s.note("document types are not read")
				s.passTo(len("<!"), ">")
			}
			return 0, false
		case '?':
			s.passTo(len("<?"), "?>")
			return 0, false
		}
		if s.startTag() {
			return tokenStart, true
		}
	}
	s.note(`"<" begins no element`)
	s.characters(1)
	return tokenText, true
}

// characters reads text to the next "<" after so many bytes.
func (s *scanner) characters(from int) {
	text := s.doc[s.pos:]
	if i := strings.IndexByte(text[from:], '<'); i >= 0 {
		text = text[:from+i]
	}
	var broken reference
	s.text, broken = decode(text)
	s.referenced(broken)
	s.pos += len(text)
}

// passTo passes over what begins here with so many bytes and ends with an end.
func (s *scanner) passTo(begin int, end string) {
	length := strings.Index(s.doc[s.pos+begin:], end)
	if length < 0 {
		s.note(end + " is missing")
		s.pos = len(s.doc)
		return
	}
	s.pos += begin + length + len(end)
}

// characterData reads <![CDATA[ … ]]>, in which nothing is a reference.
func (s *scanner) characterData() {
	begin := s.pos + len("<![CDATA[")
	s.passTo(len("<![CDATA["), "]]>")
	s.text = unifyLines(strings.TrimSuffix(s.doc[begin:s.pos], "]]>"))
}

// startTag reads <name attribute="value"> or <name/>. It returns false, and reads nothing, where there is no name.
func (s *scanner) startTag() bool {
	name := nameAt(s.doc[s.pos+1:])
	if name == "" {
		return false
	}
	if len(s.stack) == maxDepth {
		s.note(fmt.Sprintf("elements nest deeper than %d: what follows was not read", maxDepth))
		s.pos = len(s.doc)
		s.name, s.attributes, s.ends = name, nil, 1
		s.stack = append(s.stack, name)
		return true
	}
	s.pos += 1 + len(name)
	s.name = name
	if s.stack == nil {
		s.stack = s.names[:0]
		s.attributes = s.room[:0]
	}
	s.stack = append(s.stack, name)
	s.attributes = s.attributes[:0]
	for {
		s.space()
		if s.pos == len(s.doc) {
			s.note("<" + name + " has no end")
			return true
		}
		switch c := s.doc[s.pos]; {
		case c == '>':
			s.pos++
			return true
		case c == '/' && strings.HasPrefix(s.doc[s.pos:], "/>"):
			s.pos += 2
			s.ends = 1
			return true
		case c == '<':
			s.note("<" + name + " has no end")
			return true
		}
		s.readAttribute()
	}
}

// readAttribute reads name="value", or passes over a byte that belongs to nothing of the kind.
func (s *scanner) readAttribute() {
	name := nameAt(s.doc[s.pos:])
	if name == "" {
		s.note("a name of an attribute is missing")
		s.pos++
		return
	}
	s.pos += len(name)
	s.space()
	if !strings.HasPrefix(s.doc[s.pos:], "=") {
		s.note("attribute " + quote(name) + " has no value")
		return
	}
	s.pos++
	s.space()
	if s.pos == len(s.doc) || s.doc[s.pos] != '"' && s.doc[s.pos] != '\'' {
		s.note("the value of attribute " + quote(name) + " is not quoted")
		return
	}
	begin := s.pos + 1
	length := strings.IndexByte(s.doc[begin:], s.doc[s.pos])
	if length < 0 {
		s.note("the value of attribute " + quote(name) + " has no end")
		s.pos++
		return
	}
	value := s.doc[begin : begin+length]
	if strings.IndexByte(value, '<') >= 0 {
		s.note(`"<" in the value of attribute ` + quote(name))
	}
	s.pos = begin + length + 1
	s.attributes = append(s.attributes, attribute{name, value})
}

// endTag reads </name>. It ends the innermost element of that name, and those inside it that have no end.
func (s *scanner) endTag() {
	rest := s.doc[s.pos+2:]
	if len(s.stack) > 0 { // as nearly always
		if open := s.stack[len(s.stack)-1]; len(rest) > len(open) && rest[len(open)] == '>' && rest[:len(open)] == open {
			s.pos += len("</>") + len(open)
			s.ends = 1
			return
		}
	}
	name := nameAt(rest)
	s.pos += 2 + len(name)
	s.space()
	if strings.HasPrefix(s.doc[s.pos:], ">") {
		s.pos++
	} else {
		s.note("</" + name + " has no end")
	}
	for i := len(s.stack) - 1; i >= 0; i-- {
		if s.stack[i] == name {
			if s.ends = len(s.stack) - i; s.ends > 1 {
				s.note("</" + name + "> ends <" + s.stack[len(s.stack)-1] + "> too")
			}
			return
		}
	}
	s.note("</" + name + "> ends nothing that is open")
}

func (s *scanner) space() {
	for s.pos < len(s.doc) && isSpace(s.doc[s.pos]) {
		s.pos++
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

func blank(text string) bool {
	for i := range len(text) {
		if !isSpace(text[i]) {
			return false
		}
	}
	return true
}

// nameAt returns the name that text begins with, or "".
func nameAt(text string) string {
	for i := range len(text) {
		if c := text[i]; !inName(c) || i == 0 && c < ':' {
			return text[:i]
		}
	}
	return text
}

// inName reports whether a byte may stand in a name: a letter, a digit, one of "_:-.", or anything that is not ASCII.
func inName(c byte) bool {
	const (
		low  = 1<<'-' | 1<<'.' | (1<<10-1)<<'0' | 1<<':'
		high = (1<<26-1)<<('A'-64) | 1<<('_'-64) | (1<<26-1)<<('a'-64)
	)
	if c < 64 {
		return uint64(low)>>c&1 != 0
	}
	return c >= 0x80 || uint64(high)>>(c-64)&1 != 0
}

// local returns the name of the element that has begun, without its prefix.
func (s *scanner) local() string { return localOf(s.name) }

func localOf(name string) string {
	if i := strings.IndexByte(name, ':'); i > 0 && i < len(name)-1 {
		return name[i+1:]
	}
	return name
}

// attribute returns the value of an attribute of the element that has begun, or "".
func (s *scanner) attribute(name string) string {
	for i := range s.attributes {
		if s.attributes[i].name == name {
			value, broken := decode(s.attributes[i].raw)
			s.referenced(broken)
			return value
		}
	}
	return ""
}

// note remembers the first problem.
func (s *scanner) note(problem string) {
	if s.problem == nil {
		s.problem = fmt.Errorf("event XML, byte %d: %s", s.pos, problem)
	}
}

// quote makes a value fit for an error: short, on one line, without anything a terminal would obey.
func quote(value string) string { return fmt.Sprintf("%.48q", value) }
