package sshconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const none = "none"

// Query says of which host something is to be known.
type Query struct {
	Host      string // as a person would say it to ssh
	User      string // who logs in, where that is settled already; empty: User and then LocalUser
	LocalUser string // who we are
}

// Settings are what a file says of a host. What it does not say is empty. Paths are as they are written: see Expand.
type Settings struct {
	HostName         string // the real name or address; the query's host where nothing is said
	User             string
	Port             int
	IdentityFiles    []string
	CertificateFiles []string
	KnownHosts       []string // of UserKnownHostsFile; "none" alone: none
	HostKeyAlias     string
	HostKeyChecking  string // of StrictHostKeyChecking, in lower case
	IdentityAgent    string
	ProxyJump        string // hops with commas between them, the nearest to us first; "none": none
	Problems         []Problem
}

// Problem is something that would change how a host is reached, and is not done.
type Problem struct {
	File    string
	Line    int
	Keyword string // that is not done, in lower case; match for a condition
	Text    string // what, and what to do about it
	Fatal   bool   // the host would be reached in another way than the file says, or with fewer checks
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// resolving is one call of Resolve.
type resolving struct {
	Settings
	query        Query
	proxyCommand bool // it, or ProxyJump, was first
	host         string
	final        bool // it is the second pass
	ignored      [][]pattern
	seen         map[string]bool
}

// Resolve returns what the file says of a host.
func (c *Config) Resolve(q Query) Settings {
	r := &resolving{query: q, host: q.Host, seen: make(map[string]bool)}
	r.file(c.root)
	r.HostName = strings.ToLower(r.realName())
	if c.final {
		// As ssh does: once more, with the real name, for what is still open.
		r.final, r.host = true, r.HostName
		r.file(c.root)
		r.HostName = strings.ToLower(r.realName())
	}
	return r.Settings
}

// realName returns the name to connect to, as far as it is known.
func (r *resolving) realName() string {
	if r.HostName == "" {
		return r.host
	}
	if !strings.Contains(r.HostName, "%") {
		return r.HostName
	}
	return strings.NewReplacer("%%", "%", "%h", r.host).Replace(r.HostName)
}

// file goes through the blocks of a file that may hold, in their order.
func (r *resolving) file(f *file) {
	named, general := f.literal[r.host], f.general
	for len(named)+len(general) > 0 {
		var next int
		if len(general) == 0 || len(named) > 0 && named[0] < general[0] {
			next, named = named[0], named[1:]
		} else {
			next, general = general[0], general[1:]
		}
		if b := f.blocks[next]; r.holds(b) {
			for i := range b.lines {
				r.apply(&b.lines[i])
			}
		}
	}
}

// holds tells whether a block is for the host.
func (r *resolving) holds(b *block) bool {
	switch {
	case b.always:
		return true
	case b.patterns != nil:
		return matchesAny(b.patterns, r.host)
	}
	for i := range b.criteria {
		c := &b.criteria[i]
		holds, known := r.meets(c)
		if !known {
			r.problem(c.at, "match", true, fmt.Sprintf("Match %s is not looked at: say in muster.xml how the host is reached", c.name))
			return false
		}
		if holds == c.negated {
			return false
		}
	}
	return true
}

// meets tells whether a condition is met, and whether we know.
func (r *resolving) meets(c *criterion) (holds, known bool) {
	user := r.query.User
	if user == "" {
		user = r.User
	}
	if user == "" {
		user = r.query.LocalUser
	}
	switch c.name {
	case "all":
		return true, true
	case "canonical", "final":
		return r.final, true
	case "host":
		return matchesAny(c.value, strings.ToLower(r.realName())), true
	case "originalhost":
		return matchesAny(c.value, strings.ToLower(r.query.Host)), true
	case "user":
		return matchesAny(c.value, user), true
	case "localuser":
		return matchesAny(c.value, r.query.LocalUser), true
	}
	return false, false
}

// apply takes over what a line says, if nothing before it has said it.
func (r *resolving) apply(l *line) {
	if l.keyword == "include" {
		for _, f := range l.files {
			r.file(f)
		}
		return
	}
	value := ""
	if len(l.values) > 0 {
		value = l.values[0]
	}
	s := &r.Settings
	switch l.keyword {
	case "hostname":
		first(&s.HostName, value)
	case "user":
		first(&s.User, value)
	case "port":
		r.port(l, value)
	case "hostkeyalias":
		first(&s.HostKeyAlias, value)
	case "identityagent":
		first(&s.IdentityAgent, value)
	case "stricthostkeychecking":
		first(&s.HostKeyChecking, strings.ToLower(value))
	case "identityfile":
		add(&s.IdentityFiles, value)
	case "certificatefile":
		add(&s.CertificateFiles, value)
	case "userknownhostsfile":
		if s.KnownHosts == nil {
			s.KnownHosts = l.values
		}
	case "proxyjump":
		if !r.proxyCommand {
			hops, _, _ := strings.Cut(l.rest, "#")
			first(&s.ProxyJump, strings.TrimSpace(hops))
		}
	case "proxycommand":
		r.command(l)
	default:
		r.other(l, value)
	}
}

func first(setting *string, value string) {
	if *setting == "" {
		*setting = value
	}
}

func add(list *[]string, value string) {
	if !slices.Contains(*list, value) {
		*list = append(*list, value)
	}
}

func (r *resolving) port(l *line, value string) {
	port, err := strconv.Atoi(value)
	switch {
	case r.Port != 0:
	case err != nil || port < 1 || port > 65535:
		r.problem(l.place, l.keyword, true, fmt.Sprintf("Port %.16q is no number from 1 to 65535", value))
	default:
		r.Port = port
	}
}

// command is a ProxyCommand, which holds unless a ProxyJump was first.
func (r *resolving) command(l *line) {
	if r.proxyCommand || r.ProxyJump != "" && r.ProxyJump != none {
		return // after ProxyJump none, too, a command holds
	}
	r.proxyCommand = true
	if !strings.EqualFold(l.rest, none) {
		r.problem(l.place, l.keyword, true, "ProxyCommand is not run: say ProxyJump, or via=\"…\" in muster.xml (via=\"none\": the host is reached directly)")
	}
}

// problem notes something once.
func (r *resolving) problem(at place, keyword string, fatal bool, text string) {
	p := Problem{File: at.file, Line: at.line, Keyword: keyword, Text: text, Fatal: fatal}
	if !slices.Contains(r.Problems, p) {
		r.Problems = append(r.Problems, p)
	}
}
