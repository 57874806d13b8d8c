package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net"
	"strings"
)

// readCSV reads a table whose first line names the columns. Commas, semicolons or tabs stand between them.
func readCSV(o Options) (*Inventory, error) {
	reader := csv.NewReader(bytes.NewReader(o.Content))
	reader.Comma = separator(o.Content)
	reader.Comment = '#'
	reader.TrimLeadingSpace = true
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if err != nil {
		return nil, csvError(o.File, err)
	}
	t := &table{in: &Inventory{}, groups: map[string]*Group{}}
	if message := t.head(header); message != "" {
		return nil, &Error{o.File, 1, message}
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return t.in, nil
		}
		if err != nil {
			return nil, csvError(o.File, err)
		}
		line, _ := reader.FieldPos(0)
		t.hosts++
		switch {
		case len(record) > len(header):
			return nil, &Error{o.File, line, "more fields than the first line names"}
		case t.hosts > MaxHosts:
			return nil, &Error{o.File, line, errTooMany.Error()}
		}
		if message := t.row(record, line); message != "" {
			return nil, &Error{o.File, line, message}
		}
	}
}

func csvError(file string, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return &Error{file, parse.Line, parse.Err.Error()}
	}
	return &Error{file, 0, "it is empty: the first line must name the columns"}
}

// table is what is known of a CSV.
type table struct {
	in      *Inventory
	columns []string // attributes of muster.xml, group, or empty: not taken over
	names   []string // as the first line has them
	groups  map[string]*Group
	hosts   int
}

// column returns what a column's name means: an attribute of muster.xml, or group; empty where it is not known.
func column(name string) string {
	name = strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(strings.TrimSpace(name)))
	switch name {
	case "address", "hostname", "host", "ip", "ip-address", "fqdn", "ansible-host":
		return "address"
	case "name", "alias", "label":
		return "name"
	case "user", "username", "login", "ansible-user":
		return "user"
	case "port", "ssh-port", "ansible-port":
		return "port"
	case "key", "identity", "identityfile", "identity-file", "private-key", "keyfile":
		return "key"
	case "via", "jump", "proxyjump", "proxy-jump", "bastion":
		return "via"
	case "group", "groups", "site", "folder":
		return "group"
	case "certificate", "known-hosts", "known-as", "host-keys", "fingerprint", "agent", "authentication", "transfer",
		"directory", "client", "sudo", "mail":
		return name
	case "password", "pass", "passphrase", "ansible-password", "ansible-ssh-pass":
		return "password"
	}
	return ""
}

// head reads the first line; the result says what is wrong with it.
func (t *table) head(header []string) string {
	for _, name := range header {
		meant := column(name)
		for _, other := range t.columns {
			if meant != "" && meant == other {
				return "two columns are the " + meant
			}
		}
		if meant == "" {
			t.in.Remarks = appendOnce(t.in.Remarks, "the column "+quoted(strings.TrimSpace(name))+" was not taken over")
		}
		t.columns = append(t.columns, meant)
		t.names = append(t.names, plain(strings.TrimSpace(name)))
	}
	for _, meant := range t.columns {
		if meant == "address" || meant == "name" {
			return ""
		}
	}
	return "must name the columns, one of them address: address,name,port,user,key,group …"
}

// row reads a host; the result says what is wrong with it.
func (t *table) row(record []string, line int) string {
	h := &Host{Line: line}
	group, name := "", ""
	for i, text := range record {
		text = strings.TrimSpace(text)
		switch t.columns[i] {
		case "":
		case "group":
			group = text
		case "name":
			name = text
		case "address":
			place := hostOf(text, line)
			for _, v := range place.Values {
				h.set(v.Attribute, v.Text, t.names[i])
			}
			h.Remarks = append(h.Remarks, place.Remarks...)
		default:
			h.set(t.columns[i], text, t.names[i])
		}
	}
	h.Name = name
	if address, port := h.Value("address"), h.Value("port"); name == "" && address != "" && port != "" && port != "22" {
		h.Name = net.JoinHostPort(address, port)
	} else if name == "" {
		h.Name = address
	}
	if h.Name == "" {
		return "the host has neither an address nor a name"
	}
	h.set("address", h.Name, ByName)
	into, message := t.group(group)
	if message == "" {
		into.Hosts = append(into.Hosts, h)
	}
	return message
}

// group returns the group of a path, with slashes between the names of groups within one another.
func (t *table) group(path string) (*Group, string) {
	path = strings.Trim(path, "/ ")
	if path == "" {
		return &t.in.Root, ""
	}
	if known := t.groups[path]; known != nil {
		return known, ""
	}
	if strings.Count(path, "/") >= deepest/2 {
		return nil, "groups are nested too deep"
	}
	outer, name := "", path
	if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
		outer, name = path[:slash], path[slash+1:]
	}
	into, message := t.group(outer)
	if message != "" {
		return nil, message
	}
	made := &Group{Name: strings.TrimSpace(name)}
	into.Groups = append(into.Groups, made)
	t.groups[path] = made
	return made, ""
}

// separator returns what stands between the columns: what the first line has most of.
func separator(content []byte) rune {
	lines := significant(content[:min(len(content), 64<<10)])
	best, most := ',', 0
	for _, c := range ",;\t" {
		if n := strings.Count(strings.Join(lines[:min(len(lines), 1)], ""), string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// isCSVHeader reports whether a line names columns, at least one of them the address or the name.
func isCSVHeader(line string) bool {
	known := 0
	fields := strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune(",;\t", c) })
	for _, field := range fields {
		if meant := column(strings.Trim(field, `" `)); meant == "address" || meant == "name" {
			known++
		}
	}
	return known > 0 && len(fields) > 1
}
