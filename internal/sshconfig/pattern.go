package sshconfig

import (
	"strings"

	"muster/internal/wildcard"
)

// pattern is one of the patterns of a line.
type pattern struct {
	text      string
	exclusion bool   // it began with !
	prefix    string // what stands before its first wildcard, by which most are told apart
}

func newPatterns(words []string) []pattern {
	patterns := make([]pattern, len(words))
	for i, word := range words {
		text, exclusion := strings.CutPrefix(word, "!")
		prefix := text
		if end := strings.IndexAny(text, "*?"); end >= 0 {
			prefix = text[:end]
		}
		patterns[i] = pattern{text: text, exclusion: exclusion, prefix: prefix}
	}
	return patterns
}

// matchesAny tells whether one of the patterns is the text's, and none that excludes it.
func matchesAny(patterns []pattern, text string) bool {
	matched := false
	for i := range patterns {
		p := &patterns[i]
		if matched && !p.exclusion || !strings.HasPrefix(text, p.prefix) || !wildcard.Match(p.text, text) {
			continue
		}
		if p.exclusion {
			return false
		}
		matched = true
	}
	return matched
}
