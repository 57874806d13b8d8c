package inventory

import (
	"strings"
)

// ini reads an inventory in INI: sections of hosts, [name:children] and [name:vars].
func (g *graph) ini(content []byte) error {
	group, section := g.group(ungrouped), "hosts"
	line := 0
	for raw := range strings.Lines(string(content)) {
		line++
		text := strings.TrimSpace(raw)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if inner, ok := header(text); ok {
			name, kind, found := strings.Cut(inner, ":")
			section = "hosts"
			if found {
				section = strings.TrimSpace(kind)
			}
			if name = strings.TrimSpace(name); name == "" {
				return &Error{Line: line, Message: "a section without a name"}
			}
			if section != "hosts" && section != "children" && section != "vars" {
				return &Error{Line: line, Message: "the section " + quoted(inner) + " is not known: after the colon stands children or vars"}
			}
			group = g.group(name)
			continue
		}
		var err error
		switch section {
		case "hosts":
			err = g.iniHosts(group, text, line)
		case "children":
			name := strings.TrimSpace(uncommented(text))
			if strings.ContainsAny(name, " \t=") {
				return &Error{Line: line, Message: "must be the name of one group: " + quoted(name)}
			}
			g.nest(g.group(name), group)
		case "vars":
			err = group.vars.assign(text, line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// header returns the name of a section; false where the line begins none.
func header(text string) (string, bool) {
	text = strings.TrimSpace(uncommented(text))
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return "", false
	}
	inner, ok = strings.CutSuffix(inner, "]")
	// A host may begin with a range, [a:c].example.org, and an address may stand in brackets.
	return inner, ok && !strings.ContainsAny(inner, "[]") && unbracketed(text) == text
}

// uncommented returns a line without a comment at its end, which a blank stands before.
func uncommented(text string) string {
	for _, sign := range []string{" #", "\t#", " ;", "\t;"} {
		text, _, _ = strings.Cut(text, sign)
	}
	return text
}

// iniHosts reads a line of hosts: a name, perhaps with ranges and a port, and variables behind it.
func (g *graph) iniHosts(group *ansibleGroup, text string, line int) error {
	if before, _, found := strings.Cut(text, " #"); found && strings.Count(before, `"`)%2 == 0 && strings.Count(before, "'")%2 == 0 {
		text = before
	}
	words, err := Words(text)
	if err != nil {
		return &Error{Line: line, Message: err.Error()}
	}
	values := &node{kind: object, line: line}
	for _, word := range words[1:] {
		name, value, found := strings.Cut(word, "=")
		if !found { // and not said which: it may be the rest of a password with a blank in it
			return &Error{Line: line, Message: "after the name of a host stand variables, name=value, in quotation marks where " +
				"there are blanks in a value"}
		}
		values.put(name, &node{kind: scalar, text: value, line: line})
	}
	if strings.Contains(words[0], "=") {
		return &Error{Line: line, Message: "must begin with the name of a host: variables of a group stand below [name:vars]"}
	}
	return g.pattern(group, words[0], line, values)
}

// assign reads a line of variables, name = value, where a value may stand in quotation marks.
func (v vars) assign(text string, line int) error {
	name, value, found := strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !found || name == "" {
		return &Error{Line: line, Message: "must be a variable, name=value"}
	}
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
	} else {
		value = strings.TrimSpace(uncommented(value))
	}
	v[name] = &node{kind: scalar, text: value, line: line}
	return nil
}
