package report

import "strings"

// parser reads the elements of one namespace.
type parser struct {
	*scanner
	namespace string
	asked     *Request // that is answered; nil: nobody knows
}

// root reads the start of the document's element.
func (p *parser) root(name string) error {
	if _, err := p.next(); err != nil { // the first token of a document is a start, or an error
		return err
	}
	if i := p.find("xmlns"); p.name != name || i < 0 || p.attributes[i].value != p.namespace {
		return p.fail(p.at, "this is not a <%s xmlns=%q>", name, p.namespace)
	}
	_, err := p.ours()
	return err
}

// end reads what may follow the document's element: nothing.
func (p *parser) end() error {
	_, err := p.next()
	return err
}

// find returns which attribute of the element has the name, or -1.
func (p *parser) find(name string) int {
	for i := range p.attributes {
		if p.attributes[i].name == name {
			return i
		}
	}
	return -1
}

// ours says whether the element that has begun is of the namespace, which is always the default namespace: a prefix for
// it is refused, since elements that a reader of XML would take for ours would be passed over.
func (p *parser) ours() (bool, error) {
	is := !strings.Contains(p.name, ":")
	for i := range p.attributes {
		a := &p.attributes[i]
		switch {
		case a.name == "xmlns" && a.value != p.namespace:
			is = false
		case a.value == p.namespace && strings.HasPrefix(a.name, "xmlns:"):
			return false, p.fail(a.at, "the namespace %s must be the default namespace, without a prefix", p.namespace)
		}
	}
	return is, nil
}

// children calls each for every child of ours of the element that has begun, to its end. each reads the child to its
// end. Elements of others are passed over; text is refused.
func (p *parser) children(each func(name string) error) error {
	for {
		t, err := p.next()
		if err != nil || t == tokenEnd {
			return err
		}
		if t == tokenText {
			return p.fail(p.at, "text does not belong here")
		}
		ours, err := p.ours()
		if err != nil {
			return err
		}
		if ours {
			err = each(p.name)
		} else {
			err = p.skip(p.name)
		}
		if err != nil {
			return err
		}
	}
}

// skip passes over the element that has begun, whatever is in it.
func (p *parser) skip(string) error {
	for outside := len(p.stack) - 1; len(p.stack) > outside; {
		if _, err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

// leaf reads to the end of an element that holds nothing of ours.
func (p *parser) leaf() error {
	return p.children(p.skip)
}

// failAttribute returns the error for a value that was not accepted. It does not show the value, which may be a secret.
func (p *parser) failAttribute(a *attribute, err error) error {
	return p.fail(a.at, "attribute %s: %v", a.name, err)
}

// missing returns an error if one of the texts, each beside the name of its attribute, is empty.
func (p *parser) missing(at int, element string, required ...[2]string) error {
	for _, r := range required {
		if r[1] == "" {
			return p.fail(at, "<%s> has no %s", element, r[0])
		}
	}
	return nil
}
