package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

const (
	mostFiles    = 10000 // that are included, counting each time
	deepestFiles = 8     // within one another
)

// pattern is the path of a file to be included, or of several, in the syntax of filepath.Match.
type pattern string

func (p *pattern) parse(text string) error {
	if err := (*path)(p).parse(text); err != nil {
		return err
	}
	if _, err := filepath.Match(string(*p), ""); err != nil {
		return errors.New("is not a pattern: a [ is not closed")
	}
	return nil
}

// wild reports whether a pattern may mean several files.
func (p pattern) wild() bool { return strings.ContainsAny(string(p), "*?[") }

// includer puts what stands in other files where they are included, within bounds for all of them together.
type includer struct {
	*resolver
	bytes, files int  // that may still come
	stopped      bool // a bound was reached, so that nothing more is included
}

// include replaces the <include> elements of a document, and of all groups in it.
func (n *includer) include(into *contents) {
	for _, group := range into.Groups {
		n.include(&group.contents)
	}
	includes := into.Includes
	into.Includes = nil
	for _, e := range includes {
		wanted, ok := e.File.given()
		if !ok {
			continue
		}
		for _, path := range n.matching(e, wanted) {
			if root := n.open(e, path); root != nil {
				n.include(&root.contents)
				n.merge(into, root)
			}
		}
	}
}

// matching returns the files that an <include> means.
func (n *includer) matching(e *includeElement, wanted pattern) []string {
	path := n.resolved(&e.File.mark, string(wanted))
	if e.File.wrong || !wanted.wild() {
		return []string{path}
	}
	if rest, relative := strings.CutPrefix(path, n.source(e.at).folder); relative {
		path = literally(n.environment.OS, n.source(e.at).folder) + rest
	}
	var found []string
	if n.environment.Glob != nil {
		all, err := n.environment.Glob(path)
		if err != nil {
			n.wrong(&e.File.mark, "%v", err)
			return nil
		}
		for _, one := range all {
			// As in a shell: what editors leave behind is hidden, and not meant.
			if !strings.HasPrefix(filepath.Base(one), ".") || strings.HasPrefix(filepath.Base(path), ".") {
				found = append(found, one)
			}
		}
	}
	if len(found) == 0 {
		n.warn(e.File.at, "%s: there is no such file", &e.File.mark)
	}
	slices.Sort(found)
	return found
}

// literally returns a path as a pattern that matches only itself. On Windows a pattern can't say so.
func literally(os, path string) string {
	if os == "windows" {
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// open reads a file that is included; nil where it can't be.
func (n *includer) open(e *includeElement, path string) *musterElement {
	if e.File.wrong || n.stopped {
		return nil
	}
	parent := n.source(e.at)
	depth := 1
	for s := parent; s.parent != nil; s = s.parent {
		depth++
	}
	n.files--
	switch {
	case n.encloses(parent, path):
		n.wrong(&e.File.mark, "%s would include itself", quoted(path))
		return nil
	case depth > deepestFiles:
		n.wrong(&e.File.mark, "files include each other more than %d deep", deepestFiles)
		n.stopped = true
		return nil
	case n.files < 0:
		n.wrong(&e.File.mark, "more than %d files are included", mostFiles)
		n.stopped = true
		return nil
	}
	document, access, err := n.environment.ReadFile(path, n.bytes)
	if err != nil {
		n.wrong(&e.File.mark, "the file %s can't be read: %v%s", quoted(path), err, n.room())
		return nil
	}
	n.bytes -= len(document)
	s := n.enter(&source{
		file: legible(parent, path), document: document, folder: filepath.Dir(path), access: access, parent: parent, at: e.at,
	})
	return read(s, n.notes)
}

// room explains why a file may be too large that is not large by itself.
func (n *includer) room() string {
	if n.bytes > MaxSize/2 {
		return ""
	}
	return fmt.Sprintf(" (a configuration has at most %d MiB, with what it includes)", MaxSize>>20)
}

// encloses reports whether a file is the document s, or one that s is included by.
func (n *includer) encloses(s *source, path string) bool {
	for ; s != nil; s = s.parent {
		if filepath.Join(s.folder, filepath.Base(s.file)) == path {
			return true
		}
	}
	return false
}

// legible returns a path as messages have it: beginning where that of the including file begins, if it lies below.
func legible(parent *source, path string) string {
	rest, below := strings.CutPrefix(path, parent.folder+string(filepath.Separator))
	if !below || strings.ContainsFunc(path, unicode.IsControl) {
		return path
	}
	return filepath.Join(filepath.Dir(parent.file), rest)
}

// merge puts the content of an included document where it is included.
func (n *includer) merge(into *contents, root *musterElement) {
	const only = "<%s> stands in the configuration itself, not in a file that is included"
	if e := root.Server; e != nil {
		n.add(e.at, only, "server")
	}
	if e := root.Database; e != nil {
		n.add(e.at, only, "database")
	}
	if e := root.Queue; e != nil {
		n.add(e.at, only, "queue")
	}
	if e := root.Mail; e != nil {
		n.add(e.at, only, "mail")
	}
	if t := root.Timeouts; t != nil && into.Timeouts != nil {
		n.add(t.at, "a second <timeouts>: the first is %s", n.where(into.Timeouts.at, t.at))
	} else if t != nil {
		into.Timeouts = t
	}
	into.Limits = append(into.Limits, root.Limits...)
	into.Groups = append(into.Groups, root.Groups...)
	into.Jumps = append(into.Jumps, root.Jumps...)
	into.Hosts = append(into.Hosts, root.Hosts...)
	into.Printed = append(into.Printed, root.Printed...)
}
