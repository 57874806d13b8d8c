package sshconfig

import "strings"

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
		if matched && !p.exclusion || !strings.HasPrefix(text, p.prefix) || !matches(p.text, text) {
			continue
		}
		if p.exclusion {
			return false
		}
		matched = true
	}
	return matched
}

// matches matches a pattern in which * stands for anything and ? for one character (ssh_config(5), PATTERNS). It takes the
// length of one times that of the other at most, however many stars there are.
func matches(pattern, text string) bool {
	p, n := 0, 0
	star, resume := -1, 0 // the last star, and where in the text to go on if it has to stand for more
	for n < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[n]):
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
