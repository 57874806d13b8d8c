package jump

import (
	"errors"
	"strconv"
	"strings"

	"muster/internal/failure"
)

// leastSecret is the length, in bytes, from which a password is looked for: shorter ones are in many honest words.
const leastSecret = 4

// covered returns a failure without the password that the jump host knows, and may have said again.
func covered(found *failure.Error, password string) *failure.Error {
	if len(password) < leastSecret {
		return found
	}
	quoted := strconv.Quote(password)
	hide := strings.NewReplacer(password, "(password)", quoted[1:len(quoted)-1], "(password)")
	said := found.Err.Error()
	if hide.Replace(said) == said && hide.Replace(found.Advice) == found.Advice {
		return found
	}
	told := *found
	told.Err, told.Advice = errors.New(hide.Replace(said)), hide.Replace(found.Advice)
	return &told
}
