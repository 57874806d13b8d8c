package config

import (
	"encoding/xml"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// xsd is what the tests look at in the schema.
type xsd struct {
	Elements []xsdElement `xml:"element"`
	Types    []xsdComplex `xml:"complexType"`
	Groups   []xsdGroup   `xml:"attributeGroup"`
}

type xsdElement struct {
	Name string     `xml:"name,attr"`
	Type string     `xml:"type,attr"`
	Own  xsdComplex `xml:"complexType"`
}

type xsdComplex struct {
	Name       string         `xml:"name,attr"`
	Text       string         `xml:"annotation>documentation"`
	Children   []xsdElement   `xml:"choice>element"`
	Attributes []xsdAttribute `xml:"attribute"`
	Groups     []xsdGroup     `xml:"attributeGroup"`
}

type xsdGroup struct {
	Name       string         `xml:"name,attr"`
	Ref        string         `xml:"ref,attr"`
	Attributes []xsdAttribute `xml:"attribute"`
}

type xsdAttribute struct {
	Name string `xml:"name,attr"`
	Type string `xml:"type,attr"`
	Use  string `xml:"use,attr"`
	Text string `xml:"annotation>documentation"`
}

// layouts returns the layouts of all elements by their names.
func layouts() map[string]*layout {
	done := map[reflect.Type]*layout{}
	layoutOf("muster", reflect.TypeFor[musterElement](), done)
	all := map[string]*layout{}
	for _, l := range done {
		all[l.name] = l
	}
	return all
}

// TestSchemaHasTheSameNames holds the XSD and the structs together: elements, what stands in them, attributes, which are
// required, and which have the same type.
func TestSchemaHasTheSameNames(t *testing.T) {
	var schema xsd
	if err := xml.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	types := map[string]xsdComplex{"muster": schema.Elements[0].Own}
	for _, complex := range schema.Types {
		types[complex.Name] = complex
	}
	ours := layouts()
	if got, want := slices.Sorted(maps.Keys(types)), slices.Sorted(maps.Keys(ours)); !slices.Equal(got, want) {
		t.Fatalf("the schema has the elements %q, the structs %q", got, want)
	}
	goTypes := map[string]string{} // by the schema's
	for name, l := range ours {
		complex := types[name]
		if complex.Text == "" {
			t.Errorf("<%s> has no documentation in the schema", name)
		}
		var children []string
		for _, child := range complex.Children {
			children = append(children, child.Name)
			if child.Type != child.Name {
				t.Errorf("<%s> has the type %s", child.Name, child.Type)
			}
		}
		if want := slices.Sorted(maps.Keys(l.children)); !slices.Equal(slices.Sorted(slices.Values(children)), want) {
			t.Errorf("in <%s> the schema has %q, the structs %q", name, children, want)
		}
		attributes := complex.Attributes
		for _, ref := range complex.Groups {
			for _, group := range schema.Groups {
				if group.Name == ref.Ref {
					attributes = append(attributes, group.Attributes...)
				}
			}
		}
		if len(attributes) != len(l.attributes) {
			t.Errorf("<%s> has %d attributes in the schema and %d in the structs", name, len(attributes), len(l.attributes))
		}
		for _, a := range attributes {
			field, known := l.attributes[a.Name]
			if !known || field.required != (a.Use == "required") || a.Text == "" {
				t.Errorf("%s of <%s>: known %v, required %v, but %+v", a.Name, name, known, field.required, a)
				continue
			}
			goType := elementType(l.name, ours).FieldByIndex(field.index).Type.String()
			if before, seen := goTypes[a.Type]; seen && before != goType && a.Type != "name" {
				t.Errorf("the schema's type %s is %s and %s", a.Type, before, goType)
			}
			goTypes[a.Type] = goType
		}
	}
}

func elementType(name string, all map[string]*layout) reflect.Type {
	for _, l := range all {
		if child, ok := l.children[name]; ok {
			return child.structure
		}
	}
	return reflect.TypeFor[musterElement]()
}

// TestEveryAttributeCanBeRead sets every attribute by reflection, as the reader does: one whose type has no syntax would
// panic.
func TestEveryAttributeCanBeRead(t *testing.T) {
	for name, l := range layouts() {
		structure := elementType(name, layouts())
		if structure.NumField() == 0 || structure.Field(0).Type != reflect.TypeFor[element]() {
			t.Errorf("<%s> does not know where it begins", name)
		}
		for attribute, field := range l.attributes {
			value := reflect.New(structure.FieldByIndex(field.index).Type.Elem())
			set, err := value.Interface().(settable).set(mark{name: attribute, element: name, text: "\x00"})
			if err == nil {
				t.Errorf("%s of <%s> may be a NUL character", attribute, name)
			}
			if secret := strings.HasPrefix(attribute, "pass") || attribute == "url" || attribute == "command"; secret != (set.text == "") {
				t.Errorf("%s of <%s>: its value is in messages: %v", attribute, name, !secret)
			}
		}
	}
}
