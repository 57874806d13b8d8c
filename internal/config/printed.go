package config

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/internal/inventory"
)

const (
	mostPrinted     = 32 << 20 // bytes that a command may print
	shownWarnings   = 20       // of one command
	commandDeadline = 30 * time.Second
)

// command is a program and its arguments, as words of a shell. It may hold a secret: people write tokens into such lines.
type command []string

func (c *command) confidential() {}

func (c *command) parse(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return unprintable(r) && !strings.ContainsRune(space, r) }) {
		return errControl
	}
	words, err := inventory.Words(text)
	switch {
	case err != nil:
		return err
	case len(words) == 0 || words[0] == "":
		return errEmpty
	case slices.ContainsFunc(words, func(word string) bool { return word == "|" || word == ">" || word == "&&" || word == ";" }):
		return errors.New(`is not run by a shell: write sh -c '…' around it for pipes and the like`)
	}
	*c = words
	return nil
}

// Command is a command that prints hosts.
type Command struct {
	Words    []string // the program, as a path if it holds a separator, and its arguments
	Folder   string   // that it is run in: the configuration's
	Timeout  time.Duration
	Without  []string // variables of the environment that it must not have: they hold our secrets
	MaxBytes int      // that it may print
}

// asker runs the commands of a configuration, and puts the hosts that they print where the commands stand.
type asker struct{ *resolver }

// ask replaces the <hosts> elements of a document, and of all groups in it.
func (a *asker) ask(into *contents) {
	for _, group := range into.Groups {
		a.ask(&group.contents)
	}
	for _, e := range into.Printed {
		timeout := a.between(e.Timeout, commandDeadline, time.Second, 10*time.Minute)
		words, ok := e.Command.given()
		if !ok {
			continue
		}
		if a.environment.Run == nil || len(a.mistakes()) > 0 {
			a.incomplete = true
			continue
		}
		words = slices.Clone(words)
		if strings.ContainsAny(words[0], `/\`) {
			words[0] = a.resolved(&e.Command.mark, words[0])
		}
		if e.Command.wrong {
			continue
		}
		output, err := a.environment.Run(Command{
			Words: words, Folder: a.source(e.at).folder, Timeout: timeout, Without: a.variables, MaxBytes: mostPrinted,
		})
		if err != nil {
			a.wrong(&e.Command.mark, "%s: %v", quoted(filepath.Base(words[0])), err)
			a.incomplete = true
			continue
		}
		a.take(into, e, filepath.Base(words[0]), output)
	}
}

// take puts the hosts that a command printed where it stands.
func (a *asker) take(into *contents, e *hostsElement, program string, output []byte) {
	printed, err := inventory.JSON(output)
	var ours *inventory.Error
	if errors.As(err, &ours) {
		a.wrong(&e.Command.mark, "what %s prints can't be used: line %d: %s", quoted(program), ours.Line, ours.Message)
		return
	}
	p := &printing{asker: a, at: e.Command.at, command: program}
	p.group(into, &printed.Root)
	for i, warning := range p.warnings {
		if i == shownWarnings {
			a.warn(e.Command.at, "%s: … and %d more", quoted(program), len(p.warnings)-i)
			break
		}
		a.warn(e.Command.at, "%s", warning)
	}
	if printed.Root.Count() == 0 {
		a.warn(e.Command.at, "%s prints no hosts", quoted(program))
	}
}

// printing makes elements of what one command printed.
type printing struct {
	*asker
	at       int
	command  string
	warnings []string
	warned   map[string]bool
}

// printedBy names a host that a command printed.
func printedBy(host, command string) string {
	return "the host " + quoted(host) + " that " + quoted(command) + " prints"
}

func (p *printing) group(into *contents, from *inventory.Group) {
	for _, host := range from.Hosts {
		if e := p.host(host); e != nil {
			into.Hosts = append(into.Hosts, e)
		}
	}
	for _, inner := range from.Groups {
		group := &groupElement{element: element{p.at}, Name: &attribute[groupName]{}}
		p.set(group.Name, mark{at: p.at, name: inventory.ByName, element: "a group that " + quoted(p.command) + " prints", text: inner.Name})
		p.group(&group.contents, inner)
		into.Groups = append(into.Groups, group)
	}
}

func (p *printing) host(from *inventory.Host) *hostElement {
	title := printedBy(from.Name, p.command)
	if from.Left != "" {
		p.warn(from.Left, title+" is left out: "+from.Left)
		return nil
	}
	for _, remark := range from.Remarks {
		// In how many groups a host is matters to playbooks.
		if !strings.HasPrefix(remark, "is in other groups") {
			p.warn(remark, title+": "+remark)
		}
	}
	e := &hostElement{element: element{p.at}, command: p.command}
	set := func(field settable, v inventory.Value) {
		p.set(field, mark{at: p.at, name: v.From, element: title, text: v.Text, printed: true})
	}
	e.Name = &attribute[name]{}
	set(e.Name, inventory.Value{Text: from.Name, From: inventory.ByName})
	for _, v := range from.Values {
		switch v.Attribute {
		case "address":
			if e.Name.wrong && v.Text == from.Name {
				return nil // once is enough
			}
			e.Address = &attribute[address]{}
			set(e.Address, v)
		case "port":
			e.Port = &attribute[port]{}
			set(e.Port, v)
		case "user":
			e.User = &attribute[name]{}
			set(e.User, v)
		case "key":
			e.Key = &attribute[optionalPaths]{}
			set(e.Key, v)
		case "certificate":
			e.Certificate = &attribute[optionalPaths]{}
			set(e.Certificate, v)
		case "known-hosts":
			e.KnownHosts = &attribute[paths]{}
			set(e.KnownHosts, v)
		case "known-as":
			e.KnownAs = &attribute[knownAs]{}
			set(e.KnownAs, v)
		case "host-keys":
			e.HostKeys = &attribute[hostKeys]{}
			set(e.HostKeys, v)
		case "agent":
			e.Agent = &attribute[agent]{}
			set(e.Agent, v)
		case "via":
			e.Via = &attribute[via]{}
			set(e.Via, v)
		case "password":
			e.Password = &attribute[password]{}
			set(e.Password, v)
		}
	}
	return e
}

// set reads a value as if it stood in a document.
func (p *printing) set(field settable, m mark) {
	if set, err := field.set(m); err != nil {
		p.wrong(set, "%v", err)
	}
}

// warn keeps a warning once for all hosts that share its cause.
func (p *printing) warn(cause, text string) {
	if p.warned == nil {
		p.warned = map[string]bool{}
	}
	if !p.warned[cause] {
		p.warned[cause] = true
		p.warnings = append(p.warnings, text)
	}
}

// runner returns what runs commands until ctx ends.
func runner(ctx context.Context) func(Command) ([]byte, error) {
	return func(c Command) ([]byte, error) {
		output, err := c.run(ctx)
		if err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("it was ended: %w", ctx.Err())
		}
		return output, err
	}
}
