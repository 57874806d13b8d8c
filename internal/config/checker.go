package config

import (
	"fmt"
	"reflect"
)

// Checker tells whether values may stand in a configuration, for those who write one.
type Checker struct {
	layouts    map[string]*layout
	structures map[string]reflect.Type
}

// NewChecker returns a checker, which may be used from many goroutines.
func NewChecker() *Checker {
	c := &Checker{layouts: map[string]*layout{}, structures: map[string]reflect.Type{}}
	c.learn(layoutOf("muster", reflect.TypeFor[musterElement](), map[reflect.Type]*layout{}))
	return c
}

func (c *Checker) learn(l *layout) {
	for name, child := range l.children {
		if c.layouts[name] == nil {
			c.layouts[name], c.structures[name] = child.layout, child.structure
			c.learn(child.layout)
		}
	}
}

// Check says what is wrong with a value by itself, as a mistake in a configuration would: what it must be, without saying
// what it is. What it means (whether there is such a file, or such a jump host) it does not ask.
func (c *Checker) Check(element, attribute, value string) error {
	l, ok := c.layouts[element]
	if !ok {
		return fmt.Errorf("there is no <%s>", element)
	}
	field, ok := l.attributes[attribute]
	if !ok {
		return fmt.Errorf("<%s> has no %s", element, attribute)
	}
	into := reflect.New(c.structures[element].FieldByIndex(field.index).Type.Elem())
	_, err := into.Interface().(settable).set(mark{text: value})
	return err
}
