package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// text reads to the next "<", and says whether there was nothing but white space.
func (s *scanner) text() (blank bool, err error) {
	s.space()
	if s.pos == len(s.doc) || s.doc[s.pos] == '<' {
		return true, nil
	}
	text := s.doc[s.pos:]
	if i := strings.IndexByte(text, '<'); i >= 0 {
		text = text[:i]
	}
	if len(s.stack) == 0 {
		return false, s.fail(s.pos, "text outside the document's element")
	}
	if i := strings.Index(text, "]]>"); i >= 0 {
		return false, s.fail(s.pos+i, "]]> in text")
	}
	if _, err := s.replaceReferences(s.pos, text); err != nil {
		return false, err
	}
	s.pos += len(text)
	return false, nil
}

// content reads what is between the start tag that was read and its end tag: text, references and CDATA sections, as one
// text with its line ends as XML has them (XML 1.0, section 2.11). An element in it, and more than so many bytes, are
// refused. What it returns shares no memory with the document.
func (s *scanner) content(most int) (string, error) {
	if s.ending {
		_, err := s.next()
		return "", err
	}
	var text strings.Builder
	for {
		part, err := s.run()
		if err != nil {
			return "", err
		}
		if text.Len()+len(part) > most {
			return "", s.fail(s.at, "<%s> holds more than %d bytes", s.stack[len(s.stack)-1], most)
		}
		text.WriteString(part)
		if strings.HasPrefix(s.doc[s.pos:], "</") {
			s.at = s.pos
			_, err := s.endTag()
			return text.String(), err
		}
	}
}

// run reads the next part of an element's content: a CDATA section, or text up to the next "<". What is empty may be a
// comment, or that the end tag follows.
func (s *scanner) run() (string, error) {
	begin, rest := s.pos, s.doc[s.pos:]
	switch {
	case strings.HasPrefix(rest, openSection):
		if err := s.characterData(); err != nil {
			return "", err
		}
		return lineEnds(s.doc[begin+len(openSection) : s.pos-len(closeSection)]), nil
	case strings.HasPrefix(rest, "<!--"):
		return "", s.comment()
	case strings.HasPrefix(rest, "</"):
		return "", nil
	case strings.HasPrefix(rest, "<"):
		return "", s.fail(s.pos, "only text belongs into <%s>", s.stack[len(s.stack)-1])
	}
	length := strings.IndexByte(rest, '<')
	if length < 0 {
		return "", s.fail(len(s.doc), "the document ends inside <%s>", s.stack[len(s.stack)-1])
	}
	text := rest[:length]
	if i := strings.Index(text, closeSection); i >= 0 {
		return "", s.fail(s.pos+i, "]]> in text")
	}
	s.pos += length
	return s.replaceReferences(begin, lineEnds(text))
}

// lineEnds replaces CR LF, and CR alone, by LF.
func lineEnds(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// comment passes over <!-- … -->.
func (s *scanner) comment() error {
	begin := s.pos + len("<!--")
	length := strings.Index(s.doc[begin:], "--")
	switch {
	case length < 0:
		return s.fail(s.pos, "a comment has no end")
	case !strings.HasPrefix(s.doc[begin+length:], "-->"):
		return s.fail(begin+length, "-- inside a comment")
	}
	s.pos = begin + length + len("-->")
	return nil
}

// characterData passes over <![CDATA[ … ]]>.
func (s *scanner) characterData() error {
	length := strings.Index(s.doc[s.pos:], "]]>")
	switch {
	case len(s.stack) == 0:
		return s.fail(s.pos, "text outside the document's element")
	case length < 0:
		return s.fail(s.pos, "a CDATA section has no end")
	}
	s.pos += length + len("]]>")
	return nil
}

// declaration reads <?xml version="1.0" encoding="UTF-8"?>.
func (s *scanner) declaration() error {
	s.pos = len("<?xml")
	for {
		spaced := s.space()
		if strings.HasPrefix(s.doc[s.pos:], "?>") {
			break
		}
		if !spaced {
			return s.fail(s.pos, "the XML declaration is malformed")
		}
		if err := s.attribute(); err != nil {
			return err
		}
	}
	s.pos += len("?>")
	expected := []string{"version", "encoding", "standalone"}
	for i, a := range s.attributes {
		for len(expected) > 0 && expected[0] != a.name && i > 0 {
			expected = expected[1:]
		}
		if len(expected) == 0 || expected[0] != a.name {
			return s.fail(a.at, "%s does not belong here in the XML declaration", a.name)
		}
		expected = expected[1:]
		switch {
		case a.name == "version" && a.value != "1.0":
			return s.fail(a.at, "XML version %s is not 1.0", quote(a.value))
		case a.name == "encoding" && !strings.EqualFold(a.value, "UTF-8"):
			return s.fail(a.at, "encoding %s is not UTF-8", quote(a.value))
		case a.name == "standalone" && a.value != "yes" && a.value != "no":
			return s.fail(a.at, "standalone is neither yes nor no")
		}
	}
	if len(s.attributes) == 0 {
		return s.fail(s.pos, "the XML declaration has no version")
	}
	return nil
}

// replaceReferences returns text, which begins at an offset, with its character and entity references replaced.
func (s *scanner) replaceReferences(at int, text string) (string, error) {
	i := strings.IndexByte(text, '&')
	if i < 0 {
		return text, nil
	}
	var b strings.Builder
	b.Grow(len(text))
	for i >= 0 {
		b.WriteString(text[:i])
		name, rest, ended := strings.Cut(text[i+1:], ";")
		r := reference(name)
		if !ended || r < 0 {
			return "", s.fail(at+i, "%s is not a reference to a character that XML has", quote("&"+name))
		}
		b.WriteRune(r)
		at += len(text) - len(rest)
		text = rest
		i = strings.IndexByte(text, '&')
	}
	b.WriteString(text)
	return b.String(), nil
}

// reference returns what a reference stands for, or -1. There are the five of XML 1.0, section 4.6, and numbers.
func reference(name string) rune {
	switch name {
	case "amp":
		return '&'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, numeric := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	if !numeric || len(digits) > 16 {
		return -1
	}
	n, err := strconv.ParseUint(digits, base, 32)
	r := rune(n)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) || r == 0xFFFE || r == 0xFFFF {
		return -1
	}
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
		return -1
	}
	return r
}
