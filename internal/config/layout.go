package config

import (
	"reflect"
	"strings"
)

// layout is what may stand in an element, by the tags of its struct.
type layout struct {
	name       string // of the element
	shown      string // the same as a message has it
	attributes map[string]attributeField
	children   map[string]childField
	known      names
}

type names struct{ attributes, children []string } // in the order of the fields

type attributeField struct {
	index    []int
	required bool
}

type childField struct {
	index     []int
	many      bool
	structure reflect.Type
	layout    *layout
}

// layoutOf returns the layout of an element and of all that may stand in it. Done holds the layouts made already, since
// groups hold groups.
func layoutOf(name string, element reflect.Type, done map[reflect.Type]*layout) *layout {
	if known, ok := done[element]; ok {
		return known
	}
	l := &layout{name: name, shown: "<" + name + ">", attributes: map[string]attributeField{}, children: map[string]childField{}}
	done[element] = l
	for _, field := range reflect.VisibleFields(element) {
		if name, ok := field.Tag.Lookup("attribute"); ok {
			l.attributes[name] = attributeField{field.Index, field.Tag.Get("required") == "true"}
			l.known.attributes = append(l.known.attributes, name)
		}
		if name, ok := field.Tag.Lookup("element"); ok {
			many := field.Type.Kind() == reflect.Slice
			structure := field.Type.Elem()
			if many {
				structure = structure.Elem()
			}
			l.children[name] = childField{field.Index, many, structure, layoutOf(name, structure, done)}
			l.known.children = append(l.known.children, name)
		}
	}
	return l
}

// parents returns the elements from l on in which an element of the given name may stand, as a list for a message; empty
// where there is none.
func (l *layout) parents(child string) string {
	return l.holders(func(l *layout) bool { _, ok := l.children[child]; return ok })
}

// owners returns the elements from l on that may have an attribute of the given name, likewise.
func (l *layout) owners(attribute string) string {
	return l.holders(func(l *layout) bool { _, ok := l.attributes[attribute]; return ok })
}

func (l *layout) holders(fits func(*layout) bool) string {
	var found []string
	seen := map[*layout]bool{}
	var walk func(l *layout)
	walk = func(l *layout) {
		if seen[l] {
			return
		}
		seen[l] = true
		if fits(l) {
			found = append(found, "<"+l.name+">")
		}
		for _, name := range l.known.children {
			walk(l.children[name].layout)
		}
	}
	walk(l)
	return strings.Join(found, " or ")
}
