package inventory

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxSize is the size in bytes of the largest inventory that is read.
	MaxSize = 64 << 20

	// MaxHosts is how many hosts an inventory may have, those of ranges included.
	MaxHosts = 200_000

	deepest = 100 // levels of anything within one another
	longest = 100 // characters that are quoted

)

// Format is what an inventory is written in.
type Format string

// The formats. Auto is found by the name and the content.
const (
	Auto      Format = ""
	Ansible   Format = "ansible"
	SSHConfig Format = "ssh-config"
	CSV       Format = "csv"
	List      Format = "list"
)

// ByName is what a Value comes from that was not given otherwise than by the name of the host.
const ByName = "the name"

// Inventory is a fleet, as a tree of groups.
type Inventory struct {
	Format  Format
	Root    Group    // has no name: what it holds is in no group
	Remarks []string // what was not taken over from the inventory as a whole, each once
}

// Group is hosts that belong together.
type Group struct {
	Name   string
	Groups []*Group
	Hosts  []*Host
}

// Host is what is known of one host.
type Host struct {
	Name    string
	Line    int // on which it was found first; 0: unknown
	Values  []Value
	Remarks []string // what was not taken over
	Left    string   // why Muster can't visit it; empty: it can
}

// Value is what an attribute of a <host> in muster.xml would be, not checked.
type Value struct {
	Attribute string // address port user key certificate known-hosts known-as host-keys agent via password …
	Text      string
	From      string // what said so, for a message: ansible_port, HostName …
}

// Value returns a value by the attribute's name; empty where there is none.
func (h *Host) Value(attribute string) string {
	for _, v := range h.Values {
		if v.Attribute == attribute {
			return v.Text
		}
	}
	return ""
}

// set adds a value, unless it is empty or there is one.
func (h *Host) set(attribute, text, from string) {
	if text != "" && h.Value(attribute) == "" {
		h.Values = append(h.Values, Value{attribute, text, from})
	}
}

// remark notes once what was not taken over.
func (h *Host) remark(format string, arguments ...any) {
	h.Remarks = appendOnce(h.Remarks, fmt.Sprintf(format, arguments...))
}

func appendOnce(list []string, text string) []string {
	for _, one := range list {
		if one == text {
			return list
		}
	}
	return append(list, text)
}

// Count returns how many hosts a group holds, those of the groups in it included.
func (g *Group) Count() int {
	n := len(g.Hosts)
	for _, inner := range g.Groups {
		n += inner.Count()
	}
	return n
}

// Error is why a file can't be read as the format that it is.
type Error struct {
	File    string
	Line    int // 0: the file as a whole
	Message string
}

// Error returns file:line: message.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Options are what there is to read.
type Options struct {
	File    string // its path, for messages and to know the format by
	Content []byte
	Format  Format
	Folder  fs.FS // that holds the file, for Ansible's group_vars and host_vars beside it; nil: none are looked for
}

// Read reads an inventory. The error is an [Error].
func Read(o Options) (*Inventory, error) {
	if len(o.Content) > MaxSize {
		return nil, &Error{o.File, 0, fmt.Sprintf("larger than %d MiB", MaxSize>>20)}
	}
	o.Content = bytes.TrimPrefix(o.Content, []byte("\ufeff"))
	if at := bytes.IndexByte(o.Content, 0); at >= 0 || !utf8.Valid(o.Content) {
		return nil, &Error{o.File, 0, "not a text in UTF-8"}
	}
	if o.Format == Auto {
		o.Format = detect(o.File, o.Content)
	}
	read := map[Format]func(Options) (*Inventory, error){
		Ansible: readAnsible, SSHConfig: readSSHConfig, CSV: readCSV, List: readList,
	}[o.Format]
	if read == nil {
		return nil, &Error{o.File, 0, fmt.Sprintf("there is no format %q: ansible, ssh-config, csv or list", o.Format)}
	}
	inventory, err := read(o)
	if err != nil {
		return nil, err
	}
	inventory.Format = o.Format
	if inventory.Root.Count() == 0 {
		return nil, &Error{o.File, 0, fmt.Sprintf("no host is in it, read as %s: name another format by --format", o.Format)}
	}
	return inventory, nil
}

// detect returns the format that a file is in, by its name and its first lines.
func detect(file string, content []byte) Format {
	name := strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
	switch {
	case strings.HasSuffix(name, ".csv"), strings.HasSuffix(name, ".tsv"):
		return CSV
	case strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".json"),
		strings.HasSuffix(name, ".ini"):
		return Ansible
	case name == "ssh_config":
		return SSHConfig
	}
	for n, line := range significant(content) {
		word, rest, _ := strings.Cut(strings.ReplaceAll(line, "=", " "), " ")
		switch {
		case n == 0 && strings.ContainsAny(line[:1], "{["), n == 0 && line == "---":
			return Ansible
		case isSSHKeyword(word) && strings.TrimSpace(rest) != "":
			return SSHConfig
		case n == 0 && isCSVHeader(line):
			return CSV
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") && !strings.Contains(line, "::"),
			strings.Contains(line, "="), strings.HasSuffix(line, ":"), hasRange(line):
			return Ansible
		}
	}
	return List
}

// significant returns the lines that are neither empty nor comments, without the space around them.
func significant(content []byte) []string {
	var lines []string
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != ';' {
			lines = append(lines, line)
		}
	}
	return lines
}

// quoted returns text for a message: without control characters, and not too long.
func quoted(text string) string {
	if utf8.RuneCountInString(text) > longest {
		text = string([]rune(text)[:longest]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// plain returns text as a name in a remark: what is not printable, replaced.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text)
}
