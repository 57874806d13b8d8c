// Package wildcard matches the patterns of OpenSSH's files: known_hosts and ssh_config. It imports nothing of ours, and its
// function is safe for concurrent use.
package wildcard

import "strings"

// Match matches a pattern in which * stands for anything and ? for one character (ssh_config(5), PATTERNS). It takes the
// length of one times that of the other at most, however many stars there are.
func Match(pattern, text string) bool {
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
