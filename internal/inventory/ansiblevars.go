package inventory

import (
	"slices"
	"strings"
)

// describe makes a host of what Ansible's variables say of it. Variables that do not begin with ansible_ are the business
// of playbooks, and so are most of the others.
func (g *graph) describe(from *ansibleHost) *Host {
	h := &Host{Name: from.name, Line: from.line}
	v := &variables{host: h, vars: g.variables(from)}
	if connection := v.text("ansible_connection"); connection != "" &&
		!slices.Contains([]string{"ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"}, connection) {
		h.Left = "ansible_connection is " + plain(shortened(connection)) + ", and Muster reaches hosts by SSH alone"
	}
	address := "ansible_host"
	for _, attribute := range []struct {
		name  string
		names []string
	}{
		{"address", []string{"ansible_host", "ansible_ssh_host"}},
		{"port", []string{"ansible_port", "ansible_ssh_port"}},
		{"user", []string{"ansible_user", "ansible_ssh_user"}},
		{"key", []string{"ansible_ssh_private_key_file", "ansible_private_key_file"}},
		{"password", []string{"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"}},
	} {
		for _, name := range attribute.names {
			text := v.whole(name)
			if attribute.name != "password" { // of which blanks may be a part
				text = strings.TrimSpace(text)
			}
			h.set(attribute.name, text, name)
		}
	}
	if h.Value("address") == "" {
		if v.vars[address] != nil && h.Left == "" {
			h.Left = "its address is not known: ansible_host was not understood"
		}
		h.Values = slices.Insert(h.Values, 0, Value{"address", from.name, ByName})
	}
	for _, name := range []string{"ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"} {
		if text := v.text(name); text != "" {
			h.arguments(text, name)
		}
	}
	v.remarks()
	return h
}

// variables looks up what holds for one host.
type variables struct {
	host *Host
	vars vars
}

// remarks names what would matter, and is not taken over.
func (v *variables) remarks() {
	if truth(v.text("ansible_become")) {
		v.host.remark(`ansible_become is set: say sudo="yes" if the statistics need root, and see that sudo asks for no password`)
	}
	for _, name := range []string{"ansible_host_key_checking", "ansible_ssh_host_key_checking"} {
		if n := v.vars[name]; n != nil && n.kind == scalar && !truth(n.text) {
			v.host.remark("%s was not taken over: Muster always verifies the keys of hosts", name)
		}
	}
	if v.vars["ansible_ssh_executable"] != nil {
		v.host.remark("ansible_ssh_executable was not taken over: Muster speaks SSH itself")
	}
}

func truth(text string) bool {
	return slices.Contains([]string{"yes", "true", "1", "on", "y", "t"}, strings.ToLower(text))
}

// text returns a variable without the blanks around it.
func (v *variables) text(name string) string { return strings.TrimSpace(v.whole(name)) }

// whole returns a variable as text, with simple references ({{ name }}) replaced; empty where it is not set or not
// understood, which is noted.
func (v *variables) whole(name string) string {
	n := v.vars[name]
	switch {
	case n == nil || n.kind == null:
		return ""
	case n.kind == vault:
		v.host.remark("%s was not taken over: it is encrypted by Ansible Vault", name)
		return ""
	case n.kind != scalar:
		v.host.remark("%s was not taken over: it is not a text", name)
		return ""
	}
	text, ok := v.expand(n.text, 0)
	if !ok {
		v.host.remark("%s was not taken over: it is a template that was not understood", name)
		return ""
	}
	return text
}

// longestValue bounds what references may make of a value.
const longestValue = 64 << 10

// expand replaces simple references by what they mean; false where there are others.
func (v *variables) expand(text string, depth int) (string, bool) {
	var result strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		if strings.Contains(before, "{%") || strings.Contains(before, "{#") || result.Len() > longestValue {
			return "", false
		}
		result.WriteString(before)
		if !found {
			return result.String(), true
		}
		name, after, closed := strings.Cut(rest, "}}")
		value, ok := v.reference(strings.TrimSpace(name), depth)
		if !closed || !ok {
			return "", false
		}
		result.WriteString(value)
		text = after
	}
}

// reference returns what a name in a template means.
func (v *variables) reference(name string, depth int) (string, bool) {
	switch name {
	case "inventory_hostname":
		return v.host.Name, true
	case "inventory_hostname_short":
		short, _, _ := strings.Cut(v.host.Name, ".")
		return short, true
	}
	n := v.vars[name]
	if n == nil || n.kind != scalar || depth == 4 || len(n.text) > longestValue {
		return "", false
	}
	return v.expand(n.text, depth+1)
}

func shortened(text string) string {
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
