package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	byteOrderMark = "\ufeff" // some editors on Windows begin a file with it
	instances     = "http://www.w3.org/2001/XMLSchema-instance"
	space         = " \t\r\n" // what XML calls white space
	deepest       = 64        // elements within one another
)

// reader fills the structs of elements.go from a document and notes what does not fit them.
//
// It walks the tokens itself, since xml.Unmarshal passes over unknown names, repeated attributes and text, and gives no
// position of a value. Offsets are those of the document, in which the raw bytes of each token can be looked at.
type reader struct {
	*notes
	text      []byte // the document without the byte order mark
	first     int    // the offset of its first byte
	decoder   *xml.Decoder
	root      *layout
	end       error  // why there are no more tokens: io.EOF, or what is not XML
	namespace string // which all elements must be in; empty: that of the root is wrong, so that theirs says nothing
	open      []opened
	spans     []span // of the attributes of the element at hand
}

// opened is an element that has not ended yet.
type opened struct {
	name string
	at   int
}

// read returns a document's root element with all that could be read; nil where there is none. Mistakes are in notes.
func read(from *source, notes *notes) *musterElement {
	if notes.format == nil {
		notes.format = layoutOf("muster", reflect.TypeFor[musterElement](), map[reflect.Type]*layout{})
	}
	text := bytes.TrimPrefix(from.document, []byte(byteOrderMark))
	r := &reader{
		notes:   notes,
		text:    text,
		first:   from.base + len(from.document) - len(text),
		decoder: xml.NewDecoder(bytes.NewReader(text)),
		root:    notes.format,
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		r.add(from.base, "the document is in UTF-16: save it as UTF-8")
		return nil
	}
	return r.document()
}

// next returns the next token and where it begins; false at the end of the document, and where it is not XML from here
// on, which is noted.
func (r *reader) next() (xml.Token, int, bool) {
	start := r.offset()
	if r.end != nil {
		return nil, start, false
	}
	token, err := r.decoder.Token()
	if err == nil {
		err = r.unchecked(token, start)
	}
	if err == nil {
		return token, start, true
	}
	r.end = err
	if !errors.Is(err, io.EOF) {
		r.malformed(err, start)
	}
	return nil, start, false
}

// unchecked checks the characters of what the decoder passes on as it stands: comments and the like.
func (r *reader) unchecked(token xml.Token, start int) error {
	switch token.(type) {
	case xml.Comment, xml.ProcInst, xml.Directive:
	default:
		return nil
	}
	raw := r.raw(start)
	at := illegal(raw)
	if at == 0 { // they begin with "<"
		return nil
	}
	c, size := utf8.DecodeRune(raw[at:])
	if c == utf8.RuneError && size == 1 {
		return &xml.SyntaxError{Msg: "invalid UTF-8"}
	}
	return &xml.SyntaxError{Msg: fmt.Sprintf("illegal character code %U", c)}
}

func (r *reader) offset() int { return int(r.decoder.InputOffset()) + r.first }

// malformed notes why the document is not XML.
func (r *reader) malformed(err error, start int) {
	var syntax *xml.SyntaxError
	if !errors.As(err, &syntax) {
		// The decoder's only other errors: it reads no other encoding and version than those XML defaults to.
		r.add(start, "the document declares another encoding than UTF-8, or another version of XML than 1.0")
		return
	}
	switch {
	case syntax.Msg == "unexpected EOF" && len(r.open) > 0:
		last := r.open[len(r.open)-1]
		r.add(start, "not well-formed XML: the document ends within <%s>, which begins %s", last.name,
			r.where(last.at, start))
	case syntax.Msg == "unexpected EOF":
		r.add(start, "not well-formed XML: the document ends within what begins here")
	case strings.HasPrefix(syntax.Msg, "element "), strings.HasPrefix(syntax.Msg, "unexpected end element "):
		r.add(start, "not well-formed XML: %s", syntax.Msg)
	case strings.HasPrefix(syntax.Msg, "illegal character code "), syntax.Msg == "invalid UTF-8":
		r.add(start+illegal(r.text[start-r.first:r.offset()-r.first]), "not well-formed XML: %s", syntax.Msg)
	case strings.HasPrefix(syntax.Msg, "invalid character entity "):
		r.add(max(start, r.offset()-1), `not well-formed XML: %s: write &amp; for "&"`, syntax.Msg)
	case strings.HasPrefix(syntax.Msg, "unescaped < "):
		r.add(max(start, r.offset()-1), `not well-formed XML: %s: write &lt; for "<"`, syntax.Msg)
	default:
		r.add(max(start, r.offset()-1), "not well-formed XML: %s", syntax.Msg)
	}
}

// illegal returns the offset of the first character that may not stand in XML 1.0 (section 2.2) or is not UTF-8; 0 where
// there is none, as where it is written as a reference.
func illegal(text []byte) int {
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		control := c < ' ' && c != '\t' && c != '\n' && c != '\r'
		if c == utf8.RuneError && size == 1 || control || c == 0xfffe || c == 0xffff {
			return i
		}
		i += size
	}
	return 0
}

// document reads everything: what comes before the root, the root, and what comes after it.
func (r *reader) document() *musterElement {
	var root *musterElement
	for {
		token, at, ok := r.next()
		if !ok {
			break
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch {
			case root != nil:
				r.add(at, "a second root element <%s>: a configuration is one <muster>", token.Name.Local)
				r.skip(token.Name.Local, at)
			case token.Name.Local != "muster":
				r.add(at, "the root element is <%s>: it must be <muster xmlns=%q>", token.Name.Local, Namespace)
				return nil
			default:
				root = &musterElement{}
				r.takeNamespace(token, at)
				r.element(r.root, reflect.ValueOf(root), token, at)
			}
		case xml.CharData:
			r.noText(token, at, "outside <muster>")
		case xml.ProcInst:
			r.instruction(token, at)
		case xml.Directive:
			r.directive(at)
		}
	}
	if root == nil && errors.Is(r.end, io.EOF) {
		r.add(r.first, "there is no <muster xmlns=%q> in the document", Namespace)
	}
	return root
}

// takeNamespace notes a wrong namespace once, and lets the rest be checked as if it were right. Where an attribute was
// meant for it, that attribute's own mistake is the only one.
func (r *reader) takeNamespace(root xml.StartElement, at int) {
	switch namespace := root.Name.Space; {
	case namespace == Namespace:
		r.namespace = Namespace
	case namespace != "":
		r.add(at, "<muster> is in the namespace %s: this version reads %q", quoted(namespace), Namespace)
	case !slices.ContainsFunc(root.Attr, meantForNamespace):
		r.add(at, "<muster> has no namespace: write <muster xmlns=%q>", Namespace)
	}
}

// meantForNamespace recognises a misspelt xmlns.
func meantForNamespace(a xml.Attr) bool {
	return a.Name.Space == "" && a.Name.Local != "xmlns" && nearest(a.Name.Local, []string{"xmlns"}) != ""
}

func (r *reader) directive(at int) {
	r.add(at, "a document type declaration (<!DOCTYPE>) is not allowed: leave it out")
}

// instruction lets processing instructions pass, which are for editors, and notes an XML declaration out of place.
func (r *reader) instruction(token xml.ProcInst, at int) {
	if token.Target == "xml" && at != r.first {
		r.add(at, "the XML declaration must be the first thing in the document")
	}
}

// noText notes text that is not white space.
func (r *reader) noText(text []byte, at int, where string) {
	raw := r.raw(at)
	if bytes.HasPrefix(raw, []byte("<![CDATA[")) {
		r.add(at, "text does not belong %s: everything is said with attributes", where)
		return
	}
	if len(bytes.Trim(text, space)) > 0 {
		indent := len(raw) - len(bytes.TrimLeft(raw, space))
		r.add(at+indent, "text does not belong %s: everything is said with attributes", where)
	}
}

// raw returns the bytes of the document from an offset to where the decoder is.
func (r *reader) raw(at int) []byte {
	return r.text[at-r.first : r.offset()-r.first]
}

// element reads an element, whose start was read, into the struct that into points at.
func (r *reader) element(l *layout, into reflect.Value, start xml.StartElement, at int) {
	into.Interface().(interface{ begin(int) }).begin(at)
	r.open = append(r.open, opened{l.name, at})
	defer func() { r.open = r.open[:len(r.open)-1] }()
	r.attributes(l, into.Elem(), start, at)
	for {
		token, at, ok := r.next()
		if !ok {
			return
		}
		switch token := token.(type) {
		case xml.StartElement:
			r.child(l, into.Elem(), token, at)
		case xml.EndElement:
			return
		case xml.CharData:
			r.noText(token, at, "in <"+l.name+">")
		case xml.ProcInst:
			r.instruction(token, at)
		case xml.Directive:
			r.directive(at)
		}
	}
}

// child reads an element within another.
func (r *reader) child(l *layout, parent reflect.Value, start xml.StartElement, at int) {
	name := start.Name.Local
	child, known := l.children[name]
	switch {
	case r.namespace != "" && start.Name.Space != r.namespace:
		r.add(at, "<%s> is in the namespace %s, not in %q", name, quoted(start.Name.Space), Namespace)
	case !known:
		r.add(at, "%s", r.unknownElement(l, name))
	case len(r.open) == deepest:
		r.add(at, "elements are nested more than %d deep", deepest)
	default:
		into := reflect.New(child.structure)
		if field := parent.FieldByIndex(child.index); child.many {
			field.Set(reflect.Append(field, into))
		} else if field.IsNil() {
			field.Set(into)
		} else {
			first := field.Interface().(interface{ begun() int }).begun()
			r.add(at, "a second <%s> in <%s>: the first is %s", name, l.name, r.where(first, at))
		}
		r.element(child.layout, into, start, at)
		return
	}
	r.skip(name, at)
}

func (r *reader) unknownElement(l *layout, name string) string {
	if parents := r.root.parents(name); parents != "" {
		return "<" + name + "> does not belong in <" + l.name + ">: it stands in " + parents
	}
	if len(l.known.children) == 0 {
		return "unknown element <" + name + ">: nothing stands in <" + l.name + ">"
	}
	return "unknown element <" + name + "> in <" + l.name + ">: " + suggestion(name, l.known.children, "<%s>")
}

// skip reads to the end of an element that was refused. What is in it is not looked at.
func (r *reader) skip(name string, at int) {
	r.open = append(r.open, opened{name, at})
	defer func() { r.open = r.open[:len(r.open)-1] }()
	for depth := 1; depth > 0; {
		token, _, ok := r.next()
		if !ok {
			return
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
}
