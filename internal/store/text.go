package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// What a column holds at most: characters where it tells things apart, as reports, the configuration and MySQL's VARCHAR
// columns count, so that what they let through is not shortened here; bytes where it is for people to read.
const (
	maxHost     = 255
	maxGroups   = 1024
	maxAddress  = 512
	maxPlatform = 64
	maxClient   = 128
	maxID       = 128
	maxName     = 128
	maxInstance = 256
	maxUnit     = 32
	maxKind     = 32
	maxWord     = 64 // stage, kind of failure
	maxAlertID  = 255
	maxLimit    = 255
	maxState    = 32
	maxError    = 8 << 10
	maxAdvice   = 2 << 10
	maxLog      = 64 << 10
	maxReason   = 512 // why one source failed
	maxParts    = 64  // stages, or failed sources, of one visit
)

const mark = "…"

// clean makes a text storable everywhere: without NUL, which PostgreSQL refuses, and with U+FFFD in place of what is not
// UTF-8, which all refuse.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}

// prose returns s for a column that people read: cleaned, and cut with a mark where it is longer than limit bytes.
func prose(s string, limit int) string {
	s = clean(s)
	if len(s) <= limit {
		return s
	}
	return head(s, limit-len(mark)) + mark
}

// key returns s for a column that tells things apart: cleaned, and where it is longer than limit characters its end is
// replaced by a hash of the whole, so that different keys stay different.
func key(s string, limit int) string {
	s = clean(s)
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	tail := "~" + hex.EncodeToString(sum[:8])
	if limit <= len(tail) {
		return tail[:limit]
	}
	return string([]rune(s)[:limit-len(tail)]) + tail
}

// head returns the first limit bytes of s, without a character that they would cut.
func head(s string, limit int) string {
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
