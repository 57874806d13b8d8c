package draft

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"muster/internal/config"
	"muster/internal/inventory"
)

const (
	defaultKey = "~/.ssh/id_ed25519"
	deepest    = 40  // groups within one another; what is deeper is put into the last of them
	attempts   = 200 // to write a document that loads
)

// Draft is a configuration that was written.
type Draft struct {
	Document []byte
	Hosts    int // that it names
	Left     int // that stand in comments
	Groups   int
}

// group is what is written as <group>.
type group struct {
	name    string
	groups  []*group
	hosts   []*host
	shared  []attribute
	apart   bool // its hosts say everything themselves
	remarks []string
}

// host is what is written as <host>.
type host struct {
	name    string
	values  []attribute
	remarks []string
	left    string // why it stands in a comment
}

type attribute struct{ name, value string }

func (h *host) value(name string) string { return valueOf(h.values, name) }

func valueOf(list []attribute, name string) string {
	for _, a := range list {
		if a.name == name {
			return a.value
		}
	}
	return ""
}

// Write writes a configuration for an inventory that was read from what from names. The error says that none could be
// written, which is a fault of this package.
func Write(in *inventory.Inventory, from string) (*Draft, error) {
	d := &drafter{checker: config.NewChecker(), names: map[string]bool{}, from: from, remarks: in.Remarks}
	root := d.group(&in.Root, 0)
	d.common = commonRemarks(root)
	for range attempts {
		p := d.print(root)
		_, err := config.Parse("muster.xml", p.text, lenient())
		var mistakes config.Mistakes
		if err == nil {
			return &Draft{Document: p.text, Hosts: p.named, Left: p.left, Groups: p.groups}, nil
		}
		if !errors.As(err, &mistakes) || !p.blame(mistakes) {
			return nil, fmt.Errorf("the configuration for %s would not load: %w", from, err)
		}
	}
	return nil, fmt.Errorf("no configuration for %s was found that loads", from)
}

// lenient is an environment in which all that a draft may name is there.
func lenient() config.Environment {
	return config.Environment{
		OS: "linux", User: "user", Home: "/home/user", Access: config.Access{Mode: 0o600},
		LookupEnv: func(string) (string, bool) { return "x", true },
		Exists:    func(string) bool { return false },
		ReadFile: func(string, int) ([]byte, config.Access, error) {
			return nil, config.Access{}, fs.ErrNotExist
		},
	}
}

// drafter makes of an inventory what is to be written.
type drafter struct {
	checker *config.Checker
	names   map[string]bool // of hosts, in lower case
	from    string
	remarks []string
	common  []string // remarks on many hosts, which stand at the beginning
}

func (d *drafter) group(from *inventory.Group, depth int) *group {
	g := &group{name: strings.ReplaceAll(from.Name, "/", "-")}
	if g.name != "" {
		if err := d.checker.Check("group", "name", g.name); err != nil || strings.ContainsFunc(g.name, notOfXML) {
			g.remarks = append(g.remarks, fmt.Sprintf("the name of this group, %s, was not taken over", shown(g.name)))
			g.name = ""
		} else if g.name != from.Name {
			g.remarks = append(g.remarks, "was called "+from.Name)
		}
	}
	for _, h := range from.Hosts {
		g.hosts = append(g.hosts, d.host(h))
	}
	for _, inner := range from.Groups {
		made := d.group(inner, depth+1)
		if depth < deepest {
			g.groups = append(g.groups, made)
			continue
		}
		g.hosts = append(g.hosts, made.hosts...)
	}
	return g
}

// host checks what an inventory says of a host.
func (d *drafter) host(from *inventory.Host) *host {
	h := &host{name: strings.TrimSpace(from.Name), remarks: from.Remarks, left: from.Left}
	for _, v := range from.Values {
		d.take(h, v)
	}
	key := strings.ToLower(h.name)
	err := d.checker.Check("host", "name", h.name)
	if err == nil && strings.ContainsFunc(h.name, notOfXML) {
		err = errors.New("holds characters that XML does not have")
	}
	switch {
	case h.left != "":
	case h.value("address") == "":
		h.left = "it has no address"
	case err != nil:
		h.left = fmt.Sprintf("its name %v", err)
	case d.names[key]:
		h.left = "another host has this name"
	default:
		d.names[key] = true
	}
	return h
}

func (d *drafter) take(h *host, v inventory.Value) {
	if v.Attribute == "password" {
		h.remarks = append(h.remarks, v.From+` was not taken over: put the password into a file that only you can read, and say `+
			`password="file:…"`)
		return
	}
	err := d.checker.Check("host", v.Attribute, v.Text)
	if err == nil && strings.ContainsFunc(v.Text, notOfXML) {
		err = errors.New("holds characters that XML does not have")
	}
	if err != nil {
		if v.Attribute == "address" {
			h.left = fmt.Sprintf("its address, %s, %v", shown(v.Text), err)
			return
		}
		h.remarks = append(h.remarks, fmt.Sprintf("%s=%s was not taken over: it %v", v.From, shown(v.Text), err))
		return
	}
	if v.Attribute == "port" && strings.TrimSpace(v.Text) == "22" {
		return
	}
	h.values = append(h.values, attribute{v.Attribute, strings.TrimSpace(v.Text)})
}

// notOfXML reports whether a character can't stand in XML 1.0 (section 2.2), or would not stay what it is in an attribute.
func notOfXML(c rune) bool { return c < ' ' || c == 0xfffe || c == 0xffff }

// many is how many hosts must share a remark before it stands at the beginning, once.
const many = 4

// commonRemarks returns the remarks on many hosts, with how many they are, and takes them from the hosts.
func commonRemarks(root *group) []string {
	counts := map[string]int{}
	var order []string
	root.each(func(h *host) {
		for _, remark := range h.remarks {
			if counts[remark]++; counts[remark] == 1 {
				order = append(order, remark)
			}
		}
	})
	var common []string
	for _, remark := range order {
		if counts[remark] >= many {
			common = append(common, fmt.Sprintf("%s (%d hosts)", remark, counts[remark]))
		}
	}
	root.each(func(h *host) {
		var own []string
		for _, remark := range h.remarks {
			if counts[remark] < many {
				own = append(own, remark)
			}
		}
		h.remarks = own
	})
	return common
}

// each calls f for every host.
func (g *group) each(f func(h *host)) {
	for _, h := range g.hosts {
		f(h)
	}
	for _, inner := range g.groups {
		inner.each(f)
	}
}

// inheritable returns the attributes that a group may say for its hosts, in the order in which they are written.
func inheritable() []string {
	return []string{"port", "user", "key", "certificate", "agent", "authentication", "known-hosts", "host-keys", "via", "transfer",
		"directory", "client", "sudo", "mail"}
}

// share says at the group what all hosts in it have in common, unless the groups around it say so.
func (g *group) share(around []attribute) {
	g.shared = nil
	for _, name := range inheritable() {
		value, same, hosts := "", true, 0
		g.each(func(h *host) {
			if h.left != "" {
				return
			}
			own := h.value(name)
			if hosts++; hosts == 1 {
				value = own
			}
			same = same && own == value
		})
		if same && hosts > 1 && value != "" && !g.apart && valueOf(around, name) != value {
			g.shared = append(g.shared, attribute{name, value})
		}
	}
	for _, inner := range g.groups {
		inner.share(append(append([]attribute{}, g.shared...), around...))
	}
}
