package config

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What may stand in an attribute, each type with its syntax. White space around a value does not count, except in a
// password and an instance. What a value means (which file, which statistic) the resolver finds out.
type (
	name          string        // of a host or a user
	groupName     string        // of a group
	address       string        // host name or IP address
	listen        string        // host:port
	port          int           // 1 to 65535
	count         int           // of parallel visits
	duration      time.Duration // as parseDuration reads it
	path          string        // of a file or folder on the server
	optionalPath  string        // the same; empty: none
	paths         []string      // separated by commas
	optionalPaths []string      // the same; empty: none
	directory     string        // path of a folder on a host; empty: the defaults
	mailbox       string        // RFC 5322 address
	mailboxes     []string      // separated by commas; empty: nobody
	password      string        // env:NAME, file:PATH or the password itself; empty: none
	security      string        // of the connection to the mail server
	transfer      string        // how a report comes back
	logLevel      string
	logFormat     string
	statistic     string // the name of one
	instance      string // of a statistic
	bound         string // of a limit: a quantity in the statistic's unit, or none
)

// longestName is how many bytes a name may have: what databases index in full.
const longestName = 255

var (
	errEmpty   = errors.New("must not be empty")
	errControl = errors.New("must not hold control characters")
)

func trimmed(text string) string { return strings.Trim(text, space) }

func (n *name) parse(text string) error {
	text = trimmed(text)
	*n = name(text)
	switch {
	case text == "":
		return errEmpty
	case len(text) > longestName:
		return fmt.Errorf("must not be longer than %d bytes", longestName)
	case strings.ContainsFunc(text, unprintable):
		return errControl
	}
	return nil
}

// unprintable reports whether a character would change how a name looks in a log, a table or a mail.
func unprintable(c rune) bool {
	return unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func (n *groupName) parse(text string) error {
	err := (*name)(n).parse(text)
	if err == nil && strings.Contains(string(*n), "/") {
		return errors.New(`must not hold "/", which stands between the names of nested groups`)
	}
	return err
}

func (p *port) parse(text string) error { return parseWhole((*int)(p), text, 65535) }

func (c *count) parse(text string) error { return parseWhole((*int)(c), text, 10000) }

// parseWhole reads a whole number from 1 to most, without sign and leading zeros.
func parseWhole(number *int, text string, most int) error {
	text = trimmed(text)
	parsed, err := strconv.Atoi(text)
	if err != nil || parsed < 1 || parsed > most || strconv.Itoa(parsed) != text {
		return fmt.Errorf("must be a whole number from 1 to %d", most)
	}
	*number = parsed
	return nil
}

func (d *duration) parse(text string) error {
	parsed, err := parseDuration(trimmed(text))
	*d = duration(parsed)
	return err
}

func (p *path) parse(text string) error {
	if trimmed(text) == "" {
		return errEmpty
	}
	return (*optionalPath)(p).parse(text)
}

func (p *optionalPath) parse(text string) error {
	text = trimmed(text)
	*p = optionalPath(text)
	if strings.ContainsFunc(text, unicode.IsControl) {
		return errControl
	}
	if strings.HasPrefix(text, "~") && len(text) > 1 && text[1] != '/' && text[1] != '\\' {
		return errors.New("~ stands for your own home directory only: write the path of the other user's")
	}
	return nil
}

func (p *paths) parse(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		if trimmed(item) == "" {
			return errors.New("must be paths with commas between them: one is missing")
		}
		var one path
		if err := one.parse(item); err != nil {
			return err
		}
		*p = append(*p, string(one))
	}
	return nil
}

func (p *optionalPaths) parse(text string) error {
	if trimmed(text) == "" {
		return nil
	}
	return (*paths)(p).parse(text)
}

func (d *directory) parse(text string) error {
	*d = directory(trimmed(text))
	if strings.ContainsFunc(string(*d), unicode.IsControl) {
		return errControl
	}
	return nil
}

func (m *mailbox) parse(text string) error {
	parsed, err := mail.ParseAddress(trimmed(text))
	if err != nil || strings.ContainsFunc(parsed.Name, unprintable) {
		return errors.New("must be a mail address: name@example.org, or Name &lt;name@example.org&gt;")
	}
	*m = mailbox(written(parsed))
	return nil
}

func (m *mailboxes) parse(text string) error {
	if trimmed(text) == "" {
		return nil
	}
	parsed, err := mail.ParseAddressList(trimmed(text))
	hidden := func(a *mail.Address) bool { return strings.ContainsFunc(a.Name, unprintable) }
	if err != nil || len(parsed) == 0 || slices.ContainsFunc(parsed, hidden) {
		return errors.New("must be mail addresses with commas between them: a@example.org, B &lt;b@example.org&gt;")
	}
	seen := map[string]bool{}
	for _, one := range parsed {
		if key := strings.ToLower(one.Address); !seen[key] {
			seen[key] = true
			*m = append(*m, written(one))
		}
	}
	return nil
}

// written returns an address as net/mail reads it: alone, or after its quoted display name, which is not encoded.
func written(a *mail.Address) string {
	if a.Name == "" {
		return strings.Trim(a.String(), "<>")
	}
	bare := mail.Address{Address: a.Address}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Name) + `" ` + bare.String()
}

func (p *password) confidential() {}

func (p *password) parse(text string) error {
	*p = password(text)
	for _, source := range []string{"env:", "file:"} {
		switch rest, found := cutPrefixFold(text, source); {
		case !found:
		case !strings.HasPrefix(text, source):
			return fmt.Errorf("write %s in lower case", source)
		case trimmed(rest) == "":
			return fmt.Errorf("a name must follow %s", source)
		}
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return errControl
	}
	return nil
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return "", false
	}
	return text[len(prefix):], true
}

func (s *security) parse(text string) error {
	return parseOneOf((*string)(s), text, "none", "starttls", "tls")
}

func (t *transfer) parse(text string) error { return parseOneOf((*string)(t), text, "stdout", "file") }

func (l *logLevel) parse(text string) error {
	return parseOneOf((*string)(l), text, "debug", "info", "warn", "error")
}

func (l *logFormat) parse(text string) error { return parseOneOf((*string)(l), text, "text", "json") }

func parseOneOf(value *string, text string, known ...string) error {
	*value = trimmed(text)
	if slices.Contains(known, *value) {
		return nil
	}
	list := strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1]
	if near := nearest(*value, known); near != "" {
		return fmt.Errorf("must be %s: did you mean %s?", list, near)
	}
	return fmt.Errorf("must be %s", list)
}

func (s *statistic) parse(text string) error { return (*name)(s).parse(text) }

func (i *instance) parse(text string) error {
	*i = instance(text)
	switch {
	case text == "":
		return errors.New("must not be empty: leave it out for a limit on every instance")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errControl
	}
	return nil
}

func (b *bound) parse(text string) error {
	*b = bound(trimmed(text))
	switch {
	case *b == "":
		return errEmpty
	case strings.ContainsFunc(text, unicode.IsControl):
		return errControl
	}
	return nil
}
