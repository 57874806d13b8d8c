package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// graph is an inventory of Ansible: groups that may be in several groups, and hosts that may be in several of them.
type graph struct {
	groups map[string]*ansibleGroup
	hosts  map[string]*ansibleHost
	order  []*ansibleHost
	made   []*ansibleGroup // in the order in which they were found
}

type ansibleGroup struct {
	name     string
	order    int
	parents  []*ansibleGroup
	children []*ansibleGroup
	hosts    []*ansibleHost
	vars     vars
	files    vars // of group_vars
	depth    int  // the longest way from all
	state    int
}

type ansibleHost struct {
	name   string
	line   int
	groups []*ansibleGroup
	vars   vars
	files  vars // of host_vars
}

// vars are variables by their names, the values nodes.
type vars map[string]*node

const (
	all       = "all"
	ungrouped = "ungrouped"
)

func newGraph() *graph {
	g := &graph{groups: map[string]*ansibleGroup{}, hosts: map[string]*ansibleHost{}}
	g.group(all)
	return g
}

// group returns a group, which is made where there is none of the name.
func (g *graph) group(name string) *ansibleGroup {
	if known := g.groups[name]; known != nil {
		return known
	}
	made := &ansibleGroup{name: name, order: len(g.made), vars: vars{}, files: vars{}}
	g.groups[name] = made
	g.made = append(g.made, made)
	return made
}

// host returns a host, which is made where there is none of the name; an error where there are too many.
func (g *graph) host(name string, line int) (*ansibleHost, error) {
	if known := g.hosts[name]; known != nil {
		return known, nil
	}
	if name == "" {
		return nil, &Error{Line: line, Message: "a host without a name"}
	}
	if len(g.order) == MaxHosts {
		return nil, &Error{Line: line, Message: fmt.Sprintf("more than %d hosts", MaxHosts)}
	}
	made := &ansibleHost{name: name, line: line, vars: vars{}, files: vars{}}
	g.hosts[name] = made
	g.order = append(g.order, made)
	return made, nil
}

func (g *graph) nest(child, parent *ansibleGroup) {
	if child.name != all && !slices.Contains(parent.children, child) {
		parent.children = append(parent.children, child)
		child.parents = append(child.parents, parent)
	}
}

func (h *ansibleHost) join(group *ansibleGroup) {
	if !slices.Contains(h.groups, group) {
		h.groups = append(h.groups, group)
		group.hosts = append(group.hosts, h)
	}
}

// settle finds how deep every group is; an error where groups hold each other in a circle.
func (g *graph) settle() error {
	root := g.groups[all]
	for _, group := range g.made {
		if group != root && len(group.parents) == 0 {
			g.nest(group, root)
		}
	}
	const finding, found = 1, 2
	var find func(group *ansibleGroup, nested int) error
	find = func(group *ansibleGroup, nested int) error {
		switch {
		case group.state == found:
			return nil
		case group.state == finding:
			return &Error{Message: "the group " + quoted(group.name) + " holds itself"}
		case nested > deepest:
			return &Error{Message: fmt.Sprintf("groups are nested more than %d deep", deepest)}
		}
		group.state = finding
		for _, parent := range group.parents {
			if err := find(parent, nested+1); err != nil {
				return err
			}
			group.depth = max(group.depth, parent.depth+1)
		}
		group.state = found
		return nil
	}
	for _, group := range g.made {
		if err := find(group, 0); err != nil {
			return err
		}
	}
	return nil
}

// inventory returns the graph as a tree: a host stands in the deepest of its groups, the first of those that are equally
// deep, and a group in the first of the groups that hold it.
func (g *graph) inventory() (*Inventory, error) {
	if err := g.settle(); err != nil {
		return nil, err
	}
	in := &Inventory{}
	groups := map[*ansibleGroup]*Group{g.groups[all]: &in.Root}
	if rest := g.groups[ungrouped]; rest != nil {
		groups[rest] = &in.Root
	}
	var place func(group *ansibleGroup) *Group
	place = func(group *ansibleGroup) *Group {
		if known := groups[group]; known != nil {
			return known
		}
		outer := place(deepestOf(group.parents))
		made := &Group{Name: group.name}
		outer.Groups = append(outer.Groups, made)
		groups[group] = made
		return made
	}
	for _, group := range g.made {
		place(group)
	}
	for _, host := range g.order {
		home := g.groups[all]
		if len(host.groups) > 0 {
			home = deepestOf(host.groups)
		}
		h := g.describe(host)
		var others []string
		for _, group := range host.groups {
			if group != home && group.name != all && group.name != ungrouped && !ancestor(group, home) {
				others = append(others, plain(group.name))
			}
		}
		if len(others) > 0 {
			h.remark("is in other groups too: %s", strings.Join(others, ", "))
		}
		into := groups[home]
		into.Hosts = append(into.Hosts, h)
	}
	prune(&in.Root)
	return in, nil
}

func deepestOf(groups []*ansibleGroup) *ansibleGroup {
	return slices.MaxFunc(groups, func(a, b *ansibleGroup) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(b.order, a.order))
	})
}

// ancestor reports whether one group holds another, be it through others.
func ancestor(group, of *ansibleGroup) bool {
	return slices.ContainsFunc(of.parents, func(p *ansibleGroup) bool { return p == group || ancestor(group, p) })
}

// prune takes out groups without hosts.
func prune(group *Group) {
	for _, inner := range group.Groups {
		prune(inner)
	}
	group.Groups = slices.DeleteFunc(group.Groups, func(inner *Group) bool { return len(inner.Hosts)+len(inner.Groups) == 0 })
}

// variables returns what holds for a host, by Ansible's order of precedence: of the groups, the deeper ones after those
// that hold them, then by ansible_group_priority and name; what lies in files beside the inventory after what stands in
// it; and what is the host's own last.
func (g *graph) variables(h *ansibleHost) vars {
	var groups []*ansibleGroup
	seen := map[*ansibleGroup]bool{}
	var climb func(group *ansibleGroup)
	climb = func(group *ansibleGroup) {
		if !seen[group] {
			seen[group] = true
			groups = append(groups, group)
			for _, parent := range group.parents {
				climb(parent)
			}
		}
	}
	climb(g.groups[all])
	for _, group := range h.groups {
		climb(group)
	}
	slices.SortFunc(groups, func(a, b *ansibleGroup) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.priority(), b.priority()), cmp.Compare(a.name, b.name))
	})
	result := vars{}
	apply := func(from vars) {
		for name, value := range from {
			result[name] = value
		}
	}
	for _, group := range groups {
		apply(group.vars)
	}
	for _, group := range groups {
		apply(group.files)
	}
	apply(h.vars)
	apply(h.files)
	return result
}

func (g *ansibleGroup) priority() int {
	if n := g.vars["ansible_group_priority"]; n != nil {
		if priority, err := strconv.Atoi(n.text); err == nil {
			return priority
		}
	}
	return 1
}
