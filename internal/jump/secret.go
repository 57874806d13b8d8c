package jump

import (
	"errors"
	"strconv"
	"strings"

	"muster/internal/failure"
)

// leastSecret is the length, in bytes, from which a password is looked for: shorter ones are in many honest words.
const leastSecret = 4

// maxSaid bounds, in bytes, what is told of a failure: the text of an SSH_MSG_DISCONNECT alone may have a quarter of a
// megabyte.
const maxSaid = 2000

// covered returns a failure without the password that the jump host knows, and may have said again, and no longer than is
// of use.
func covered(found *failure.Error, password string) *failure.Error {
	said := found.Err.Error()
	text, advice := shortened(hidden(said, password)), hidden(found.Advice, password)
	if text == said && advice == found.Advice {
		return found
	}
	told := *found
	told.Err, told.Advice = errors.New(text), advice
	return &told
}

// hidden returns text without the password, as it is or quoted.
func hidden(text, password string) string {
	if len(password) < leastSecret {
		return text
	}
	quoted := strconv.Quote(password)
	return strings.NewReplacer(password, "(password)", quoted[1:len(quoted)-1], "(password)").Replace(text)
}

// shortened comes after hidden: half of a password would not be found.
func shortened(text string) string {
	if len(text) <= maxSaid {
		return text
	}
	return strings.ToValidUTF8(text[:maxSaid], "") + "…"
}
