package inventory

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"muster/internal/wildcard"
)

// isSSHKeyword reports whether a word begins a line that only an ssh_config has first.
func isSSHKeyword(word string) bool {
	switch strings.ToLower(word) {
	case "host", "match", "include", "hostname", "identityfile", "user", "port", "proxyjump", "serveraliveinterval",
		"stricthostkeychecking", "forwardagent", "addkeystoagent", "controlmaster", "identitiesonly", "compression",
		"usekeychain", "ignoreunknown", "userknownhostsfile", "hashknownhosts", "sendenv":
		return true
	}
	return false
}

// sshSection is what an ssh_config says for the hosts that match its patterns.
type sshSection struct {
	patterns []string
	options  []sshOption
}

type sshOption struct{ key, value string } // the key in lower case

// sshFile is an ssh_config.
type sshFile struct {
	sections []*sshSection
	wide     []int            // sections that match more than names, or not only by a name
	named    map[string][]int // sections by a name that they match
	names    []string         // of hosts, in their order
	lines    map[string]int   // on which a name stands first
}

// readSSHConfig reads the hosts that an ssh_config has by name. Patterns (Host *.example.org) name none, but say what holds
// for those that they match. What is first in the file holds, as in ssh.
func readSSHConfig(o Options) (*Inventory, error) {
	in := &Inventory{}
	f, err := parseSSHConfig(o, in)
	if err != nil {
		return nil, err
	}
	for _, name := range f.names {
		h := &Host{Name: name, Line: f.lines[name]}
		h.fromSSHConfig(f.options(name))
		in.Root.Hosts = append(in.Root.Hosts, h)
	}
	return in, nil
}

func parseSSHConfig(o Options, in *Inventory) (*sshFile, error) {
	f := &sshFile{named: map[string][]int{}, lines: map[string]int{}}
	current := f.begin([]string{"*"})
	number := 0
	for raw := range strings.Lines(string(o.Content)) {
		number++
		text := strings.Trim(raw, " \t\r\n\f")
		if text == "" || text[0] == '#' {
			continue
		}
		end := strings.IndexAny(text, " \t=")
		if end < 0 {
			return nil, &Error{o.File, number, "the keyword " + quoted(text) + " has no value"}
		}
		key := strings.ToLower(text[:end])
		value := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(text[end:], " \t"), "="), " \t")
		words, err := Words(value)
		if err != nil {
			return nil, &Error{o.File, number, err.Error()}
		}
		if len(words) == 0 {
			return nil, &Error{o.File, number, "the keyword " + quoted(text[:end]) + " has no value"}
		}
		switch key {
		case "host":
			current = f.begin(words)
			if err := f.name(words, number); err != nil {
				return nil, &Error{o.File, number, err.Error()}
			}
		case "match":
			current = f.begin(in.match(words, number))
		case "include":
			in.Remarks = appendOnce(in.Remarks, "Include "+plain(shortened(value))+" was not followed: import that file by itself")
		default:
			current.options = append(current.options, sshOption{key, value})
		}
	}
	return f, nil
}

// begin begins a section.
func (f *sshFile) begin(patterns []string) *sshSection {
	for _, pattern := range patterns {
		if strings.ContainsAny(pattern, "*?!") {
			f.wide = append(f.wide, len(f.sections))
			break
		}
		f.named[pattern] = append(f.named[pattern], len(f.sections))
	}
	s := &sshSection{patterns: patterns}
	f.sections = append(f.sections, s)
	return s
}

// name remembers the hosts that a Host line has by name.
func (f *sshFile) name(patterns []string, line int) error {
	for _, pattern := range patterns {
		if strings.ContainsAny(pattern, "*?!") || pattern == "" || f.lines[pattern] > 0 {
			continue
		}
		if len(f.names) == MaxHosts {
			return errTooMany
		}
		f.lines[pattern] = line
		f.names = append(f.names, pattern)
	}
	return nil
}

// match returns the patterns of a Match that depends on nothing but names; of others none, which is a remark.
func (in *Inventory) match(words []string, line int) []string {
	switch first := strings.ToLower(words[0]); {
	case first == "all" && len(words) == 1:
		return []string{"*"}
	case (first == "host" || first == "originalhost") && len(words) == 2:
		return append(strings.Split(words[1], ","), "!") // no name: looked at by its patterns
	}
	in.Remarks = appendOnce(in.Remarks, fmt.Sprintf("Match on line %d was not taken over: it depends on more than names", line))
	return []string{"!*"}
}

// options returns what holds for a host, the first of each key first.
func (f *sshFile) options(name string) []sshOption {
	sections := append(slices.Clone(f.wide), f.named[name]...)
	slices.Sort(sections)
	var options []sshOption
	for i, n := range sections {
		if s := f.sections[n]; (i == 0 || sections[i-1] != n) && s.matches(name) {
			options = append(options, s.options...)
		}
	}
	return options
}

func (s *sshSection) matches(name string) bool {
	found := false
	for _, pattern := range s.patterns {
		pattern, not := strings.CutPrefix(pattern, "!")
		if pattern == "" || !wildcard.Match(pattern, name) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// fromSSHConfig takes over what holds for a host.
func (h *Host) fromSSHConfig(options []sshOption) {
	first, every := map[string]string{}, map[string][]string{}
	for _, o := range options {
		value := unquoted(o.value)
		if every[o.key] == nil {
			first[o.key] = value
		}
		every[o.key] = append(every[o.key], value)
	}
	hostname := strings.NewReplacer("%h", h.Name, "%%", "%").Replace(first["hostname"])
	if strings.Contains(hostname, "%") {
		h.Left = "its HostName was not understood"
	}
	h.set("address", hostname, "HostName")
	h.set("address", h.Name, "Host")
	h.set("port", first["port"], "Port")
	h.set("user", first["user"], "User")
	h.files("key", "IdentityFile", every["identityfile"])
	h.files("certificate", "CertificateFile", every["certificatefile"])
	if agent := first["identityagent"]; agent != "" {
		h.tokens("agent", agent, "IdentityAgent")
	}
	if known := first["userknownhostsfile"]; known != "" {
		h.knownHosts(known, "UserKnownHostsFile")
	}
	h.set("known-as", first["hostkeyalias"], "HostKeyAlias")
	if jump := first["proxyjump"]; jump != "" {
		h.jump(jump, "ProxyJump")
	} else if command := first["proxycommand"]; command != "" {
		h.proxyCommand(command, "ProxyCommand")
	}
	h.checking(first["stricthostkeychecking"], "the ssh_config")
	if first["user"] == "git" {
		h.Left = "its User is git: it looks like a server of repositories"
	}
	if first["remotecommand"] != "" {
		h.remark("RemoteCommand was not taken over: Muster runs its client")
	}
}

// files takes over paths, several of which an ssh_config may name.
func (h *Host) files(attribute, key string, values []string) {
	var files []string
	for _, value := range values {
		value = unquoted(value)
		if strings.EqualFold(value, "none") {
			continue
		}
		if file, ok := h.expanded(value); ok && !strings.Contains(file, ",") {
			files = appendOnce(files, file)
		} else {
			h.remark("%s: %s was not taken over", key, quoted(path.Base(value)))
		}
	}
	h.set(attribute, strings.Join(files, ", "), key)
}

func (h *Host) tokens(attribute, value, from string) {
	if text, ok := h.expanded(strings.TrimPrefix(value, "$")); ok {
		h.set(attribute, text, from)
		return
	}
	h.remark("%s was not taken over", from)
}

// expanded returns a path with the tokens of ssh_config replaced that are known here; false where others are in it.
func (h *Host) expanded(text string) (string, bool) {
	home, rest, found := strings.Cut(text, "%d/")
	if found && home == "" {
		text = "~/" + rest
	}
	text = strings.NewReplacer("%h", h.Value("address"), "%n", h.Name, "%r", h.Value("user"), "%%", "%").Replace(text)
	return text, !strings.Contains(text, "%") && !strings.Contains(text, "${")
}

func unquoted(text string) string {
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1]
	}
	return text
}
