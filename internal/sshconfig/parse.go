package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxSize  = 64 << 20 // of one file
	maxDepth = 16       // of files that include others, as with ssh
	maxFiles = 10_000   // that are included, all in all
)

// Options say where to look for what a file refers to. What is nil is the operating system's.
type Options struct {
	Home     string // ~; Include without a folder means that in its .ssh
	ReadFile func(path string) ([]byte, error)
	Glob     func(pattern string) ([]string, error) // sorted
}

// Config is an ssh_config with all that it includes.
type Config struct {
	root  *file
	final bool // there is a Match final, for which ssh reads everything a second time
}

// file is one file: blocks, of which the first is what stands before the first Host or Match.
type file struct {
	blocks  []*block
	literal map[string][]int // blocks by the names in them, where they have nothing but names
	general []int            // all others
}

// block is a Host or Match line, and what follows it.
type block struct {
	always   bool
	patterns []pattern   // of Host
	criteria []criterion // of Match
	lines    []line
}

// criterion is one condition of a Match line.
type criterion struct {
	at      place
	name    string // in lower case
	negated bool
	value   []pattern
}

// place is where something stands.
type place struct {
	file string
	line int
}

// line is a keyword and what it says.
type line struct {
	place
	keyword string   // in lower case
	values  []string // its words
	rest    string   // all that follows the keyword
	files   []*file  // of Include
}

// parser reads a file and what it includes.
type parser struct {
	Options
	files int
	final bool
}

// Load reads an ssh_config. The error says which line of which file can't be understood.
func Load(path string, o Options) (*Config, error) {
	if o.ReadFile == nil {
		o.ReadFile = readFile
	}
	if o.Glob == nil {
		o.Glob = filepath.Glob
	}
	p := &parser{Options: o}
	content, err := p.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read ssh_config: %w", err)
	}
	root, err := p.parse(path, content, 0)
	if err != nil {
		return nil, err
	}
	return &Config{root: root, final: p.final}, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > maxSize:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxSize>>20)
	}
	return os.ReadFile(path)
}

func (p *parser) parse(path string, content []byte, depth int) (*file, error) {
	if p.files++; p.files > maxFiles {
		return nil, fmt.Errorf("%s: more than %d files are included", path, maxFiles)
	}
	current := &block{always: true}
	f := &file{blocks: []*block{current}}
	number := 0
	for text := range bytes.Lines(content) {
		number++
		at := place{path, number}
		l, err := parseLine(at, string(text))
		if err == nil && l != nil {
			switch l.keyword {
			case "host", "match":
				current, err = p.begin(l)
				f.blocks = append(f.blocks, current)
			case "include":
				l.files, err = p.include(l, depth)
				fallthrough
			default:
				current.lines = append(current.lines, *l)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", at.file, at.line, err)
		}
	}
	f.index()
	return f, nil
}

// parseLine reads a line; nil: there is nothing on it.
func parseLine(at place, text string) (*line, error) {
	text = strings.TrimRight(text, " \t\r\n\f")
	text = strings.TrimLeft(text, " \t\r")
	if text == "" || text[0] == '#' {
		return nil, nil
	}
	end := strings.IndexAny(text, " \t=\"")
	if end < 0 {
		end = len(text)
	}
	rest := strings.TrimLeft(text[end:], " \t")
	if after, found := strings.CutPrefix(rest, "="); found {
		rest = strings.TrimLeft(after, " \t")
	}
	l := &line{place: at, keyword: strings.ToLower(text[:end]), rest: rest}
	var err error
	if !takesRest(l.keyword) {
		l.values, err = split(rest)
	}
	switch {
	case err != nil:
		return nil, err
	case rest == "" || !takesRest(l.keyword) && len(l.values) == 0:
		return nil, fmt.Errorf("%.64q says nothing", text[:end])
	}
	return l, nil
}

// takesRest tells which keywords are followed by what is not to be split into words.
func takesRest(keyword string) bool {
	switch keyword {
	case "proxycommand", "localcommand", "remotecommand", "knownhostscommand", "proxyjump", "match":
		return true
	}
	return false
}

// split splits words as ssh does: at blanks, outside of quotes, up to a word that begins with #.
func split(text string) ([]string, error) {
	var words []string
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" || text[0] == '#' {
			return words, nil
		}
		word, rest, err := splitWord(text)
		if err != nil {
			return nil, err
		}
		words, text = append(words, word), rest
	}
}

// splitWord takes the first word, without its quotes. A backslash keeps its meaning but before quotes, itself, and a blank
// outside of quotes.
func splitWord(text string) (word, rest string, err error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && (strings.IndexByte(`'"\`, text[i+1]) >= 0 || quote == 0 && text[i+1] == ' '):
			i++
			b.WriteByte(text[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), text[i:], nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errors.New("a quote is not closed")
	}
	return b.String(), "", nil
}

// begin begins a block with a Host or Match line.
func (p *parser) begin(l *line) (*block, error) {
	if l.keyword == "host" {
		return &block{patterns: newPatterns(l.values)}, nil
	}
	words, err := split(strings.ReplaceAll(l.rest, "=", " "))
	if err != nil {
		return nil, err
	}
	b := new(block)
	for i := 0; i < len(words); i++ {
		c := criterion{at: l.place, name: strings.ToLower(words[i])}
		c.name, c.negated = strings.CutPrefix(c.name, "!")
		switch c.name {
		case "final":
			p.final = true
		case "all", "canonical":
		default:
			if i++; i == len(words) {
				return nil, fmt.Errorf("%s of Match says nothing", c.name)
			}
			if value := words[i]; c.name == "host" || c.name == "originalhost" {
				c.value = newPatterns(strings.Split(strings.ToLower(value), ","))
			} else {
				c.value = newPatterns(strings.Split(value, ","))
			}
		}
		b.criteria = append(b.criteria, c)
	}
	return b, checkAll(b.criteria)
}

// checkAll notes an "all" beside what would be no condition then.
func checkAll(criteria []criterion) error {
	for i, c := range criteria {
		alone := len(criteria) == 1 || i == len(criteria)-1 && i == 1 && isPass(criteria[0].name)
		if c.name == "all" && !alone {
			return errors.New("all stands alone in a Match, or after canonical or final")
		}
	}
	if len(criteria) == 0 {
		return errors.New("a Match needs a condition")
	}
	return nil
}

func isPass(criterion string) bool { return criterion == "canonical" || criterion == "final" }

// include reads the files of an Include line. Those that do not exist are passed over, as ssh does.
func (p *parser) include(l *line, depth int) ([]*file, error) {
	if depth+1 > maxDepth {
		return nil, errors.New("files include each other too deeply")
	}
	var files []*file
	for _, pattern := range l.values {
		switch {
		case strings.HasPrefix(pattern, "~/"):
			pattern = filepath.Join(p.Home, pattern[2:])
		case !filepath.IsAbs(pattern):
			pattern = filepath.Join(p.Home, ".ssh", pattern)
		}
		paths, err := p.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("include %s: %w", pattern, err)
		}
		for _, path := range paths {
			content, err := p.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			f, err := p.parse(path, content, depth+1)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
	}
	return files, nil
}

// index finds out which blocks are found by a name.
func (f *file) index() {
	f.literal = make(map[string][]int)
	for i, b := range f.blocks {
		if b.always || b.patterns == nil || hasWildcard(b.patterns) {
			f.general = append(f.general, i)
			continue
		}
		for _, p := range b.patterns {
			if known := f.literal[p.text]; len(known) == 0 || known[len(known)-1] != i {
				f.literal[p.text] = append(known, i)
			}
		}
	}
}

func hasWildcard(patterns []pattern) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.exclusion || p.prefix != p.text })
}
