package config

import (
	"fmt"
	"log/slog"
)

// redacted is what every secret prints as, so that not even its length or absence is told.
const redacted = "[secret]"

// Secret is a password that never prints itself, whatever prints it: package fmt with any verb, log/slog, encoding/json
// and other encodings. The zero value is the empty secret. The text lies behind a pointer, which keeps it from fmt where
// a Secret is an unexported field, whose methods fmt can't call; so compare what Reveal returns, not Secrets with ==.
type Secret struct{ value *string }

// NewSecret returns a secret that holds value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the secret.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String returns [secret].
func (s Secret) String() string { return redacted }

// GoString returns [secret].
func (s Secret) GoString() string { return redacted }

// Format writes [secret], whatever the verb.
func (s Secret) Format(state fmt.State, _ rune) { fmt.Fprint(state, redacted) }

// MarshalText returns [secret].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[secret]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue returns [secret].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
