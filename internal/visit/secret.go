package visit

import (
	"strconv"
	"strings"

	"muster/internal/report"
)

const (
	// hidden is shown in a password's place.
	hidden = "(password)"
	// leastSecret is the length, in bytes, from which a password is looked for: shorter ones are in many honest words.
	leastSecret = 4
)

// secret is the password with which a visit logs in. The host gets to know it, and may say it again where we write down what
// it says: in its banner, its log, the messages of its failures. A host that takes it to pieces first is not found out.
type secret string

// hide returns text without the password, as it is or as it looks when it was made printable.
func (s secret) hide(text string) string {
	if len(s) < leastSecret {
		return text
	}
	quoted := strconv.Quote(string(s))
	for _, form := range []string{string(s), quoted[1 : len(quoted)-1], report.Visible(string(s), 0)} {
		text = strings.ReplaceAll(text, form, hidden)
	}
	return text
}

// cover returns err, which may be nil, with a text that does not hold the password.
func (s secret) cover(err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	if text := s.hide(said); text != said {
		return &covered{text, err}
	}
	return err
}

// covered is an error with another text than its own.
type covered struct {
	text string
	err  error
}

func (c *covered) Error() string { return c.text }
func (c *covered) Unwrap() error { return c.err }
