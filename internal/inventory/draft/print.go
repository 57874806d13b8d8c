package draft

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/internal/config"
)

const width = 116 // columns of a line, where it can be broken

// printer writes a document, and remembers what stands on which line.
type printer struct {
	text    []byte
	line    int
	hosts   map[int]*host // by the lines that they begin on, or go on
	inGroup map[int]*group
	named   int
	left    int
	groups  int
}

// print writes the document.
func (d *drafter) print(root *group) *printer {
	p := &printer{line: 1, hosts: map[int]*host{}, inGroup: map[int]*group{}}
	p.write(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	p.comment("", "The configuration of Muster, made of "+plain(d.from)+". Everything that may stand here is explained in "+
		"docs/configuration.md.", "Look at what stands in comments, then: muster run")
	p.write(fmt.Sprintf("<muster xmlns=%q>\n\n", config.Namespace))
	if remarks := append(append([]string{}, d.remarks...), d.common...); len(remarks) > 0 {
		p.comment("  ", append([]string{"What was not understood, or is to be known:"}, remarks...)...)
		p.write("\n")
	}
	p.write("  <!-- Limits that hold for every host. A host that can't be visited is an alert without saying so. -->\n" +
		`  <limit statistic="cpu.usage" above="90%" for="5m"/>` + "\n" +
		`  <limit statistic="memory.usage" above="90%" for="5m"/>` + "\n" +
		`  <limit statistic="disk.usage" above="90%"/>` + "\n\n")
	root.share(nil)
	keyless := false
	root.each(func(h *host) { keyless = keyless || h.left == "" && h.value("key") == "" && h.value("agent") == "" })
	switch {
	case keyless:
		p.comment("  ", "The key that logs in where nothing else is said: write the path of yours.")
		root.shared = append(root.shared, attribute{"key", defaultKey})
		slices.SortFunc(root.shared, func(a, b attribute) int {
			return cmp.Compare(slices.Index(inheritable(), a.name), slices.Index(inheritable(), b.name))
		})
		p.group(root, nil, "  ")
	case len(root.shared) > 0:
		p.group(root, nil, "  ")
	default:
		p.members(root, nil, "  ")
	}
	p.write("</muster>\n")
	return p
}

func (p *printer) write(text string) {
	p.text = append(p.text, text...)
	p.line += strings.Count(text, "\n")
}

func (p *printer) group(g *group, around []attribute, indent string) {
	p.remarks(g.remarks, indent)
	p.groups++
	attributes := g.shared
	if g.name != "" {
		attributes = append([]attribute{{"name", g.name}}, attributes...)
	}
	first := p.line
	p.element("group", attributes, indent, ">")
	for line := first; line < p.line; line++ {
		p.inGroup[line] = g
	}
	p.members(g, append(append([]attribute{}, g.shared...), around...), indent+"  ")
	p.write(indent + "</group>\n")
}

func (p *printer) members(g *group, around []attribute, indent string) {
	for _, h := range g.hosts {
		p.host(h, around, indent)
	}
	for i, inner := range g.groups {
		if i > 0 || len(g.hosts) > 0 {
			p.write("\n")
		}
		p.group(inner, around, indent)
	}
}

// host writes a host with what the groups around it do not say.
func (p *printer) host(h *host, around []attribute, indent string) {
	var attributes []attribute
	name := h.value("address")
	if port := h.value("port"); port != "" {
		name = net.JoinHostPort(name, port)
	}
	if h.name != name {
		attributes = append(attributes, attribute{"name", h.name})
	}
	for _, name := range slices.Concat([]string{"address"}, inheritable(), []string{"fingerprint", "known-as"}) {
		if value := h.value(name); value != "" && valueOf(around, name) != value {
			attributes = append(attributes, attribute{name, value})
		}
	}
	if h.left != "" {
		p.left++
		text := []string{fmt.Sprintf("%s is left out: %s", shown(h.name), plain(h.left))}
		p.comment(indent, append(text, h.remarks...)...)
		return
	}
	p.named++
	p.remarks(h.remarks, indent)
	first := p.line
	p.element("host", attributes, indent, "/>")
	for line := first; line < p.line; line++ {
		p.hosts[line] = h
	}
}

func (p *printer) remarks(remarks []string, indent string) {
	if len(remarks) > 0 {
		p.comment(indent, remarks...)
	}
}

// element writes a start tag, its attributes below each other where they are too long for a line.
func (p *printer) element(name string, attributes []attribute, indent, end string) {
	var b bytes.Buffer
	b.WriteString(indent + "<" + name)
	column := b.Len()
	for _, a := range attributes {
		text := a.name + `="` + escaped(a.value) + `"`
		if column+1+utf8.RuneCountInString(text) > width && column > len(indent)+len(name)+1 {
			b.WriteString("\n" + indent + strings.Repeat(" ", len(name)+1))
			column = len(indent) + len(name) + 1
		}
		b.WriteString(" " + text)
		column += 1 + utf8.RuneCountInString(text)
	}
	b.WriteString(end + "\n")
	p.write(b.String())
}

// comment writes paragraphs as a comment.
func (p *printer) comment(indent string, paragraphs ...string) {
	var lines []string
	for _, paragraph := range paragraphs {
		lines = append(lines, wrapped(harmless(paragraph), width-len(indent)-9)...)
	}
	if len(lines) == 1 {
		p.write(indent + "<!-- " + lines[0] + " -->\n")
		return
	}
	p.write(indent + "<!-- " + strings.Join(lines, "\n"+indent+"     ") + " -->\n")
}

// wrapped breaks text into lines.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// harmless makes text what may stand in a comment of XML.
func harmless(text string) string {
	text = plain(text)
	for strings.Contains(text, "--") {
		text = strings.ReplaceAll(text, "--", "- -")
	}
	return text
}

func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
}

// shown returns text of an inventory for a comment.
func shown(text string) string {
	if runes := []rune(text); len(runes) > 80 {
		text = string(runes[:80]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}

// blame takes out what a document can't be loaded with; false where nothing is to blame.
func (p *printer) blame(mistakes config.Mistakes) bool {
	found := false
	for _, m := range mistakes {
		if h := p.hosts[m.Line]; h != nil && h.left == "" {
			h.left, found = m.Message, true
		} else if g := p.inGroup[m.Line]; g != nil && !g.apart {
			g.apart, found = true, true
		}
	}
	return found
}
