package inventory

import (
	"net"
	"strings"
)

// readList reads a plain list: [user@]host[:port] a line, where # begins a comment.
func readList(o Options) (*Inventory, error) {
	in := &Inventory{}
	line := 0
	for raw := range strings.Lines(string(o.Content)) {
		line++
		text, _, _ := strings.Cut(raw, "#")
		words := strings.Fields(text)
		switch {
		case len(words) == 0:
			continue
		case len(words) > 1:
			return nil, &Error{o.File, line, "must be one host, [user@]host[:port]: for other formats say --format"}
		case len(in.Root.Hosts) == MaxHosts:
			return nil, &Error{o.File, line, errTooMany.Error()}
		}
		h := hostOf(words[0], line)
		if h.Value("address") == "" {
			return nil, &Error{o.File, line, "must be one host, [user@]host[:port]: the host is missing"}
		}
		in.Root.Hosts = append(in.Root.Hosts, h)
	}
	return in, nil
}

// hostOf reads [user@]host[:port].
func hostOf(text string, line int) *Host {
	text = strings.TrimPrefix(text, "ssh://")
	h := &Host{Line: line}
	place := text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		user, _, secret := strings.Cut(text[:at], ":")
		h.set("user", user, "the part before @")
		if secret {
			h.remark("the password was not taken over: put it into a file, and say password=\"file:…\"")
		}
		place = text[at+1:]
	}
	host, port := cutPort(strings.TrimSuffix(place, "/"))
	h.Name = host
	if port != "" && port != "22" {
		h.Name = net.JoinHostPort(host, port)
	}
	h.set("address", host, "the host")
	h.set("port", port, "the port")
	return h
}
