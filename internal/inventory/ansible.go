package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// readAnsible reads an inventory of Ansible in any of its forms.
func readAnsible(o Options) (*Inventory, error) {
	g := newGraph()
	if err := g.read(o); err != nil {
		return nil, named(err, o.File)
	}
	remarks, err := g.besides(o)
	if err != nil {
		return nil, err
	}
	in, err := g.inventory()
	if err != nil {
		return nil, named(err, o.File)
	}
	in.Remarks = append(in.Remarks, remarks...)
	return in, nil
}

// named says which file an error is in.
func named(err error, file string) error {
	var ours *Error
	if errors.As(err, &ours) && ours.File == "" {
		ours.File = file
	}
	return err
}

func (g *graph) read(o Options) error {
	name := strings.ToLower(o.File)
	lines := significant(o.Content)
	switch {
	case len(lines) > 0 && lines[0][0] == '{':
		root, err := readJSON(o.Content)
		if err != nil {
			return err
		}
		return g.dynamic(root)
	case strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"), len(lines) > 0 && looksLikeYAML(lines):
		root, err := readYAML(o.Content)
		if err != nil {
			return err
		}
		return g.yaml(root)
	}
	return g.ini(o.Content)
}

func looksLikeYAML(lines []string) bool {
	return lines[0] == "---" || strings.HasSuffix(lines[0], ":") && !strings.Contains(lines[0], " ")
}

// JSON reads what a dynamic inventory of Ansible prints when it is asked for its --list: groups with hosts, children and
// vars, and the variables of hosts under _meta.hostvars. The error is an [Error] without a file.
func JSON(output []byte) (*Inventory, error) {
	if len(output) > MaxSize {
		return nil, &Error{Message: fmt.Sprintf("larger than %d MiB", MaxSize>>20)}
	}
	root, err := readJSON(output)
	if err != nil {
		return nil, err
	}
	g := newGraph()
	if err := g.dynamic(root); err != nil {
		return nil, err
	}
	in, err := g.inventory()
	if err != nil {
		return nil, err
	}
	in.Format = Ansible
	return in, nil
}

// dynamic reads the JSON of a dynamic inventory.
func (g *graph) dynamic(root *node) error {
	if root.kind != object {
		return &Error{Line: root.line, Message: "must be a JSON object: of groups, and _meta"}
	}
	for i, name := range root.keys {
		value := root.values[i]
		if name == "_meta" {
			continue
		}
		group := g.group(name)
		switch value.kind {
		case list: // the form of old: a list of hosts
			if err := g.members(group, value, "hosts"); err != nil {
				return err
			}
		case object:
			for j, key := range value.keys {
				if err := g.entry(group, key, value.values[j]); err != nil {
					return err
				}
			}
		case null:
		default:
			return &Error{Line: value.line, Message: "the group " + quoted(name) + " must be an object or a list of hosts"}
		}
	}
	hostvars := root.get("_meta").get("hostvars")
	if hostvars == nil || hostvars.kind != object {
		return nil
	}
	for i, name := range hostvars.keys {
		// Variables of a host that is in no group do not make it one of the inventory.
		if host := g.hosts[name]; host != nil {
			if err := host.vars.take(hostvars.values[i], "the variables of "+quoted(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry reads what stands in a group of a dynamic inventory.
func (g *graph) entry(group *ansibleGroup, key string, value *node) error {
	switch key {
	case "hosts", "children":
		return g.members(group, value, key)
	case "vars":
		return group.vars.take(value, "the variables of the group "+quoted(group.name))
	}
	return nil
}

// members reads the hosts or the children of a group, as a list or as an object of which the keys count.
func (g *graph) members(group *ansibleGroup, value *node, what string) error {
	names := value.keys
	switch value.kind {
	case null:
	case object:
	case list:
		for _, one := range value.values {
			if one.kind != scalar {
				return &Error{Line: one.line, Message: "the " + what + " of the group " + quoted(group.name) + " must be names"}
			}
			names = append(names, one.text)
		}
	default:
		return &Error{Line: value.line, Message: "the " + what + " of the group " + quoted(group.name) + " must be a list"}
	}
	for _, name := range names {
		if what == "children" {
			g.nest(g.group(name), group)
			continue
		}
		host, err := g.host(name, value.line)
		if err != nil {
			return err
		}
		host.join(group)
	}
	return nil
}

// take takes over variables from an object.
func (v vars) take(from *node, what string) error {
	switch from.kind {
	case null:
		return nil
	case object:
		for i, name := range from.keys {
			v[name] = from.values[i]
		}
		return nil
	}
	return &Error{Line: from.line, Message: what + " must be names with values"}
}

// yaml reads an inventory in YAML: groups of hosts, children and vars.
func (g *graph) yaml(root *node) error {
	if root.kind != object {
		return &Error{Line: root.line, Message: "must be groups: names with hosts, children or vars below them"}
	}
	for i, name := range root.keys {
		if name == "plugin" {
			return &Error{Line: root.values[i].line, Message: `is the configuration of an inventory plugin: ` +
				`run ansible-inventory --list on it, and use that, or <hosts command="ansible-inventory …"/>`}
		}
		if err := g.yamlGroup(name, root.values[i], 0); err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) yamlGroup(name string, value *node, depth int) error {
	group := g.group(name)
	if value.kind == null {
		return nil
	}
	if value.kind != object || depth > deepest {
		return &Error{Line: value.line, Message: "the group " + quoted(name) + " must hold hosts, children or vars"}
	}
	for i, key := range value.keys {
		inner := value.values[i]
		switch {
		case key == "vars":
			if err := group.vars.take(inner, "the variables of the group "+quoted(name)); err != nil {
				return err
			}
		case key == "children" && inner.kind == object:
			for j, child := range inner.keys {
				g.nest(g.group(child), group)
				if err := g.yamlGroup(child, inner.values[j], depth+1); err != nil {
					return err
				}
			}
		case key == "hosts" && inner.kind == object:
			for j, pattern := range inner.keys {
				if err := g.pattern(group, pattern, inner.values[j].line, inner.values[j]); err != nil {
					return err
				}
			}
		case key == "hosts" && inner.kind == scalar: // one host without a colon
			if err := g.pattern(group, inner.text, inner.line, nil); err != nil {
				return err
			}
		case (key == "hosts" || key == "children") && inner.kind == null:
		case key == "hosts" || key == "children":
			return &Error{Line: inner.line, Message: "the " + key + " of the group " + quoted(name) +
				" must be names with a colon behind each"}
		default:
			return &Error{Line: inner.line, Message: "the group " + quoted(name) + " holds " + quoted(key) +
				": it may hold hosts, children and vars"}
		}
	}
	return nil
}

// pattern adds the hosts that a name with ranges means, with their variables.
func (g *graph) pattern(group *ansibleGroup, pattern string, line int, values *node) error {
	pattern, port := cutPort(pattern)
	names, err := expand(pattern, MaxHosts)
	if err != nil {
		return &Error{Line: line, Message: err.Error()}
	}
	for _, name := range names {
		host, err := g.host(name, line)
		if err != nil {
			return err
		}
		host.join(group)
		if port != "" {
			host.vars["ansible_port"] = &node{kind: scalar, text: port, line: line}
		}
		if values != nil {
			if err := host.vars.take(values, "the variables of "+quoted(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// besides reads the files beside an inventory that hold variables: group_vars/NAME and host_vars/NAME, with .yml, .yaml or
// without. Folders of that name are not read, which is a remark.
func (g *graph) besides(o Options) ([]string, error) {
	if o.Folder == nil {
		return nil, nil
	}
	var remarks []string
	take := func(folder string, of func(name string) vars) error {
		found, err := fs.ReadDir(o.Folder, folder)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return &Error{File: folder, Message: err.Error()}
		}
		for _, entry := range found {
			file := path.Join(folder, entry.Name())
			into := of(strings.TrimSuffix(strings.TrimSuffix(entry.Name(), ".yml"), ".yaml"))
			switch {
			case into == nil: // of a group or host that is not in this inventory
			case !entry.Type().IsRegular():
				remarks = append(remarks, plain(file)+" was not read: it is not a file")
			default:
				var ours *Error
				if err := readVariables(o.Folder, file, into); errors.As(err, &ours) {
					remarks = append(remarks, plain(ours.Error())+": it was not read")
				} else if err != nil {
					return &Error{File: file, Message: err.Error()}
				}
			}
		}
		return nil
	}
	err := take("group_vars", func(name string) vars {
		if group := g.groups[name]; group != nil {
			return group.files
		}
		return nil
	})
	if err == nil {
		err = take("host_vars", func(name string) vars {
			if host := g.hosts[name]; host != nil {
				return host.files
			}
			return nil
		})
	}
	return remarks, err
}

// readVariables reads a file of variables; an Error where it is not one that is understood.
func readVariables(folder fs.FS, file string, into vars) error {
	opened, err := folder.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, MaxSize+1))
	if err != nil {
		return err
	}
	switch {
	case len(content) > MaxSize:
		return &Error{file, 0, fmt.Sprintf("larger than %d MiB", MaxSize>>20)}
	case bytes.HasPrefix(content, []byte("$ANSIBLE_VAULT;")):
		return &Error{file, 1, "encrypted by Ansible Vault"}
	}
	root, err := readYAML(content)
	if err == nil {
		err = into.take(root, "variables")
	}
	return named(err, file)
}
