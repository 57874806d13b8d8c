package remote

import "strings"

// Quote returns a word as every POSIX shell, csh and fish read it: as it is where all of them do, otherwise in quotes. It
// is for what a host's shell is to read and for commands that people are advised to type. The word must not hold a line
// feed, which csh does not read within quotes.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, isSpecial) {
		return word
	}
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range word {
		switch r {
		case '\'', '\\', '!': // fish reads \ within quotes, csh !, and all of them a \ outside
			b.WriteString(`'\` + string(r) + `'`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// isSpecial says that some shell may read more into a character than that.
func isSpecial(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("/._-+:@,", r)
}
