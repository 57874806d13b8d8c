package winevent

import (
	"strings"

	"muster/internal/report"
)

// maxName bounds in bytes the names that are made of the names of elements inside each other: each of them is made anew
// for every field, so that a long one would cost its length times their number.
const maxName = 1000

// userData reads the element of UserData that has begun, to its end. Its name says what kind of event this is, as the
// event's id does: fields do not carry it, unless the element itself holds a text.
func (p *parser) userData() {
	kind := p.local()
	before := len(p.event.Data)
	p.attributeFields("")
	if text := p.fields("", true); !blank(text) {
		p.add(kind, text, len(p.event.Data) > before)
	}
}

// field reads the element that has begun, to its end, as a field of this name: its text, and whatever is inside it as
// fields whose names begin with this one. Its attributes are fields too where that is wanted.
func (p *parser) field(name string, attributes bool) {
	before := len(p.event.Data)
	if attributes {
		p.attributeFields(name)
	}
	text := p.fields(name, attributes)
	inside := len(p.event.Data) > before
	if !inside || !blank(text) {
		p.add(name, text, inside)
	}
}

// fields reads what is inside the element that has begun, to its end, and returns the text that stands there itself.
func (p *parser) fields(name string, attributes bool) string {
	var text joined
	for {
		switch p.next() {
		case tokenEOF, tokenEnd:
			return text.String()
		case tokenText:
			text.add(p.text)
		case tokenStart:
			inner := p.local()
			if !attributes {
				inner = p.dataName()
			}
			p.field(p.join(name, inner), attributes)
		}
	}
}

// dataName returns the name of a field of EventData: its attribute Name, or else the element's, but Data is none.
func (p *parser) dataName() string {
	name := p.attribute("Name")
	if name == "" {
		if name = p.local(); name == "Data" {
			return ""
		}
	}
	return name
}

// attributeFields adds the attributes of the element that has begun, but for declarations of namespaces.
func (p *parser) attributeFields(name string) {
	for _, a := range p.attributes {
		if a.name == "xmlns" || strings.HasPrefix(a.name, "xmlns:") {
			continue
		}
		value, broken := decode(a.raw)
		p.referenced(broken)
		p.add(p.join(name, localOf(a.name)), value, false)
	}
}

// add adds a field. A text beside elements is what stands between them: white space at its ends is the layout's.
func (p *parser) add(name, value string, beside bool) {
	if beside {
		value = strings.TrimSpace(value)
	}
	if p.event.Data == nil {
		p.event.Data = make([]report.Field, 0, 24)
	}
	p.event.Data = append(p.event.Data, report.Field{Name: name, Value: value})
}

// join returns the name of what is inside an element.
func (p *parser) join(outer, inner string) string {
	switch {
	case outer == "":
		return inner
	case inner == "":
		return outer
	case len(outer)+1+len(inner) > maxName:
		p.altered = true
		return outer
	}
	return outer + "." + inner
}

// rendering reads the section RenderingInfo, to its end.
func (p *parser) rendering() {
	var keywords []string
	p.each(func() {
		switch p.local() {
		case "Message":
			first(&p.event.Message, p.content())
		case "Level":
			first(&p.rendered, p.content())
		case "Keywords":
			p.each(func() {
				if word := strings.TrimSpace(p.content()); word != "" {
					keywords = append(keywords, word)
				}
			})
		default:
			p.skip()
		}
	})
	first(&p.keywords, strings.Join(keywords, "; "))
}
