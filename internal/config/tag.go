package config

import (
	"bytes"
	"encoding/xml"
	"reflect"
	"strings"
)

// attributes reads the attributes of an element whose start tag the decoder has just returned.
func (r *reader) attributes(l *layout, into reflect.Value, start xml.StartElement, at int) {
	r.spans = attributeSpans(r.spans[:0], r.raw(at))
	var meant []mark
	for i, a := range start.Attr {
		s := r.spans[i]
		m := mark{at: at + s.name, name: a.Name.Local, element: l.shown, text: a.Value}
		if s.multiline {
			m.text = strings.Map(unbroken, m.text)
		}
		if s.joined {
			r.add(m.at, "not well-formed XML: a space is missing before attribute %s", quoted(a.Name.Local))
		}
		field, known := l.attributes[a.Name.Local]
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns" || a.Name.Space == "xmlns":
			if repeated(start.Attr[:i], a.Name) {
				r.add(m.at, "the namespace %s is declared twice", a.Name.Local)
			}
		case a.Name.Space == instances && a.Name.Local == "schemaLocation":
			// It tells an editor where the XSD is.
		case a.Name.Space != "":
			r.add(m.at, "attribute %q of <%s> is in the namespace %s: write it without a prefix", a.Name.Local, l.name,
				quoted(a.Name.Space))
			meant = append(meant, m)
		case !known && l == r.root && meantForNamespace(a):
			r.add(m.at, "unknown attribute %s of <%s>: did you mean xmlns=%q?", quoted(m.name), l.name, Namespace)
		case !known:
			r.add(m.at, "%s", r.unknownAttribute(l, m.name))
			m.name = nearest(m.name, l.known.attributes)
			meant = append(meant, m)
		default:
			r.attribute(into.FieldByIndex(field.index), m)
		}
	}
	spoil(l, into, meant)
	for _, name := range l.known.attributes {
		if field := l.attributes[name]; field.required && into.FieldByIndex(field.index).IsNil() {
			r.add(at, "<%s> lacks %s=\"…\"", l.name, name)
		}
	}
}

// attribute reads one known attribute into its field.
func (r *reader) attribute(field reflect.Value, m mark) {
	if !field.IsNil() {
		r.add(m.at, "%s=\"…\" is given twice in this %s", m.name, m.element)
		return
	}
	field.Set(reflect.New(field.Type().Elem()))
	set, err := field.Interface().(settable).set(m)
	if err != nil {
		r.wrong(set, "%s", err)
	}
	if secret, ok := field.Interface().(*attribute[password]); ok {
		if variable, ok := strings.CutPrefix(string(secret.value), "env:"); ok {
			r.variables = append(r.variables, variable)
		}
	}
}

// spoil takes attributes that were probably meant as given but wrong, so that nobody is told that they are missing too.
func spoil(l *layout, into reflect.Value, meant []mark) {
	for _, m := range meant {
		known, ok := l.attributes[m.name]
		if !ok {
			continue
		}
		if field := into.FieldByIndex(known.index); field.IsNil() {
			field.Set(reflect.New(field.Type().Elem()))
			field.Interface().(settable).spoil(m)
		}
	}
}

func (r *reader) unknownAttribute(l *layout, name string) string {
	message := "unknown attribute " + quoted(name) + " of <" + l.name + ">: "
	if nearest(name, l.known.attributes) == "" {
		if owners := r.root.owners(name); owners != "" {
			return message + "it belongs to " + owners
		}
		if len(l.known.attributes) == 0 {
			return message + "it has none but xmlns"
		}
	}
	return message + suggestion(name, l.known.attributes, "%s")
}

func repeated(attributes []xml.Attr, name xml.Name) bool {
	for _, a := range attributes {
		if a.Name == name {
			return true
		}
	}
	return false
}

// unbroken makes a line break or a tab a space, as XML 1.0 (section 3.3.3) has it in an attribute's value. It does so
// with a character reference (&#10;) too where the value has both, which nobody writes.
func unbroken(c rune) rune {
	if c == '\n' || c == '\t' || c == '\r' {
		return ' '
	}
	return c
}

// span is where an attribute stands in its start tag.
type span struct {
	name      int  // offset of its name
	joined    bool // no space stands before it, which encoding/xml lets pass
	multiline bool // its value holds a line break or a tab as such
}

// attributeSpans appends the spans of a start tag's attributes. The tag is well-formed, since the decoder has read it,
// and has its attributes in the decoder's order.
func attributeSpans(spans []span, tag []byte) []span {
	at := 1 + bytes.IndexAny(tag[1:], space+"/>")
	for {
		gap := len(tag[at:]) - len(bytes.TrimLeft(tag[at:], space))
		at += gap
		if tag[at] == '/' || tag[at] == '>' {
			return spans
		}
		open := at + bytes.IndexAny(tag[at:], `"'`)
		length := bytes.IndexByte(tag[open+1:], tag[open])
		multiline := bytes.ContainsAny(tag[open+1:open+1+length], "\t\r\n")
		spans = append(spans, span{name: at, joined: gap == 0, multiline: multiline})
		at = open + length + 2
	}
}
