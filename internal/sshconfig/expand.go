package sshconfig

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Tokens are what stands for % and a letter, for ${NAME} and for ~ in a path.
type Tokens struct {
	Home      string // %d and ~
	Host      string // %n: as it was asked for
	HostName  string // %h: the real one
	Alias     string // %k: HostKeyAlias; empty: the host as it was asked for
	Port      int    // %p
	User      string // %r: who logs in
	LocalUser string // %u: who we are
	LocalHost string // %l, and %L up to its first dot
	LookupEnv func(name string) (string, bool)
}

// Expand returns a path with its tokens filled in. Those that are not known (%C, %i, %j, ~name) are an error.
func (t *Tokens) Expand(path string) (string, error) {
	text, err := t.variables(path)
	if err == nil {
		text, err = t.percents(text)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case text == "~" || strings.HasPrefix(text, "~/"):
		if t.Home == "" {
			return "", fmt.Errorf("%s: the home directory is not known", path)
		}
		return filepath.Join(t.Home, strings.TrimPrefix(text[1:], "/")), nil
	case strings.HasPrefix(text, "~"):
		return "", fmt.Errorf("%s: the home directories of others are not known here", path)
	case !filepath.IsAbs(text):
		return "", fmt.Errorf("%s: is no absolute path, and does not begin with ~", path)
	}
	return filepath.Clean(text), nil
}

func (t *Tokens) variables(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, set := t.LookupEnv(name)
		switch {
		case !closed:
			return "", fmt.Errorf("${ without }")
		case !set:
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		b.WriteString(value)
		text = after
	}
}

func (t *Tokens) percents(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", fmt.Errorf("%% at its end")
		}
		value, known := t.token(text[i])
		if !known {
			return "", fmt.Errorf("%%%c is not known here", text[i])
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

func (t *Tokens) token(letter byte) (string, bool) {
	switch letter {
	case '%':
		return "%", true
	case 'd':
		return t.Home, true
	case 'h':
		return t.HostName, true
	case 'k':
		if t.Alias == "" {
			return t.Host, true
		}
		return t.Alias, true
	case 'l':
		return t.LocalHost, true
	case 'L':
		short, _, _ := strings.Cut(t.LocalHost, ".")
		return short, true
	case 'n':
		return t.Host, true
	case 'p':
		return fmt.Sprint(t.Port), true
	case 'r':
		return t.User, true
	case 'u':
		return t.LocalUser, true
	}
	return "", false
}
