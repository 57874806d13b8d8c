package config

// mark is what an attribute has whatever its type: where it stands and what stands in it.
type mark struct {
	at      int    // of the attribute's name
	name    string // of the attribute
	element string // that has it, as a message names it
	text    string // its value in the document; empty where it must not be shown
	wrong   bool   // a mistake was noted: the value is not to be used
	printed bool   // by a command: it stands in no document
}

// String returns the attribute as a message begins with it.
func (m *mark) String() string {
	if m.text == "" {
		return m.name + " of " + m.element
	}
	return m.name + "=" + quoted(m.text) + " of " + m.element
}

// value is what may stand in an attribute; the pointers to the types of values.go are such.
type value interface {
	// parse sets the value from the attribute's text. The error says what the text must be.
	parse(text string) error
}

// confidential is a value that may hold a secret, so that messages must not show its text.
type confidential interface{ confidential() }

// attribute is an attribute of type T, *T being a value.
type attribute[T any] struct {
	mark
	value T
}

// set fills in an attribute that was found in the document.
func (a *attribute[T]) set(m mark) (*mark, error) {
	parsed := any(&a.value).(value)
	text := m.text
	if _, ok := parsed.(confidential); ok {
		m.text = ""
	}
	a.mark = m
	return &a.mark, parsed.parse(text)
}

// spoil makes the attribute one that was given but is wrong.
func (a *attribute[T]) spoil(m mark) {
	m.text, m.wrong = "", true
	a.mark = m
}

// given returns the attribute's value; false where it was not given or is wrong.
func (a *attribute[T]) given() (T, bool) {
	if a == nil || a.wrong {
		var none T
		return none, false
	}
	return a.value, true
}

// or returns the attribute's value, or otherwise where it was not given or is wrong.
func (a *attribute[T]) or(otherwise T) T {
	if value, ok := a.given(); ok {
		return value
	}
	return otherwise
}

// settable is any *attribute[T].
type settable interface {
	set(m mark) (*mark, error)
	spoil(m mark)
}
