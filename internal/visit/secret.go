package visit

import (
	"encoding/xml"
	"slices"
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

// hideWords takes the password out of what a host says of its logs beside their records.
func (s secret) hideWords(answers []report.Logs) {
	for i := range answers {
		l := &answers[i]
		l.Why = s.hide(l.Why)
		for j := range l.Gaps {
			l.Gaps[j].Reason = s.hide(l.Gaps[j].Reason)
		}
		if l.Trouble != nil {
			l.Trouble.Text = s.hide(l.Trouble.Text)
		}
	}
}

// leastInRecords is the length, in bytes, from which a password is looked for in log records. They are evidence, and hold
// whatever anybody typed: a short password is a word of theirs, which would be gone from all of them.
const leastInRecords = 8

// hideRecords takes the password out of log records, and marks those that had it. The other records stay as they are, byte
// by byte.
func (s secret) hideRecords(answers []report.Logs) {
	if len(s) < leastInRecords {
		return
	}
	forms := s.forms()
	for i := range answers {
		for j := range answers[i].Records {
			r := &answers[i].Records[j]
			texts := []*string{&r.Source, &r.Computer, &r.User, &r.Keywords, &r.Message, &r.Raw}
			for k := range r.Data {
				texts = append(texts, &r.Data[k].Name, &r.Data[k].Value)
			}
			for _, text := range texts {
				for _, form := range forms {
					if strings.Contains(*text, form) {
						*text, r.Altered = strings.ReplaceAll(*text, form, hidden), true
					}
				}
			}
		}
	}
}

// forms returns what the password looks like: as it is, made printable, and in XML, JSON and quotes.
func (s secret) forms() []string {
	quoted := strconv.Quote(string(s))
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(s)) // a strings.Builder takes everything
	forms := []string{
		string(s), quoted[1 : len(quoted)-1], report.Visible(string(s), 0), escaped.String(),
		strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(string(s)), // as Windows has it in an element
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}
