package winevent

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// clean returns text without NULs at its end, and with U+FFFD for each character that XML 1.0 forbids (section 2.2) and
// each byte that is not UTF-8; and whether there were any of these.
func clean(text []byte) (string, bool) {
	text = bytes.TrimRight(text, "\x00")
	at := forbidden(text)
	if at < 0 {
		return string(text), false
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for at >= 0 {
		b.Write(text[:at])
		b.WriteRune(utf8.RuneError)
		_, size := utf8.DecodeRune(text[at:])
		text = text[at+size:]
		at = forbidden(text)
	}
	b.Write(text)
	return b.String(), true
}

// forbidden returns the offset of the first thing that XML or UTF-8 forbids, or -1.
func forbidden(text []byte) int {
	for i := 0; i < len(text); {
		if i+8 <= len(text) && isPlain(binary.LittleEndian.Uint64(text[i:])) {
			i += 8
			continue
		}
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 || !isCharacter(r) {
			return i
		}
		i += size
	}
	return -1
}

// isPlain reports whether eight bytes are all ASCII and no control characters.
func isPlain(eight uint64) bool {
	const each, top = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	return (eight|(eight-' '*each))&top == 0 // a byte below ' ' borrows; so the bytes above it may seem to be, too
}

// isCharacter reports whether XML 1.0 has a character.
func isCharacter(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r == 0xFFFE || r == 0xFFFF:
		return false
	}
	return utf8.ValidRune(r)
}

// fromUTF16 returns text in UTF-8, and whether halves of surrogate pairs were replaced.
func fromUTF16(text []uint16) ([]byte, bool) {
	for len(text) > 0 && text[len(text)-1] == 0 {
		text = text[:len(text)-1]
	}
	b := make([]byte, 0, len(text)+len(text)/8)
	halves := false
	for i := 0; i < len(text); i++ {
		r := rune(text[i])
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
			continue
		case utf16.IsSurrogate(r):
			next := rune(0)
			if i+1 < len(text) {
				next = rune(text[i+1])
			}
			if r = utf16.DecodeRune(r, next); r == utf8.RuneError {
				halves = true
			} else {
				i++
			}
		}
		b = utf8.AppendRune(b, r)
	}
	return b, halves
}

// reference says what is wrong with the references of a text.
type reference int

const (
	sound     reference = iota
	refused             // one is to a character that XML forbids: U+FFFD takes its place
	malformed           // one is none: it was left as it is
)

// referenced remembers what decode has said.
func (s *scanner) referenced(r reference) {
	switch r {
	case refused:
		s.broken = true
	case malformed:
		s.note(`"&" begins no reference`)
	}
}

// decode returns text with its references replaced and its line ends written as XML has it read (section 2.11).
func decode(text string) (string, reference) {
	i := strings.IndexByte(text, '&')
	if i < 0 {
		return unifyLines(text), sound
	}
	worst := sound
	var b strings.Builder
	b.Grow(len(text))
	for i >= 0 {
		b.WriteString(unifyLines(text[:i]))
		text = text[i:]
		r, length := referenceAt(text)
		switch {
		case length == 0:
			worst = malformed
			b.WriteByte('&')
			length = 1
		case !isCharacter(r):
			worst = max(worst, refused)
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
		text = text[length:]
		i = strings.IndexByte(text, '&')
	}
	b.WriteString(unifyLines(text))
	return b.String(), worst
}

// unifyLines writes CR LF, and CR alone, as LF.
func unifyLines(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// maxReference bounds a reference in bytes: &#x10FFFF; and some zeros more.
const maxReference = 24

// referenceAt returns what the reference stands for that text begins with, and its length, which is 0 where it is none.
// Those to characters beyond Unicode are for U+FFFF, which is none either.
func referenceAt(text string) (rune, int) {
	end := strings.IndexByte(text[:min(len(text), maxReference)], ';')
	if end < 0 {
		return 0, 0
	}
	name := text[1:end]
	switch name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	}
	digits, numeric := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case !numeric || err != nil:
		return 0, 0
	case n > utf8.MaxRune:
		return 0xFFFF, end + 1
	}
	return rune(n), end + 1
}
