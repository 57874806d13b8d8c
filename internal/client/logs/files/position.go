package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sample is how many bytes at most a fingerprint is of.
const sample = 1024

// unknownFile stands for a file's identity where the file system has none, or where there is no file yet.
const unknownFile = "-"

// fingerprint tells bytes from others: how many they are, and their hash.
type fingerprint struct {
	size int
	hash string // 16 hexadecimal digits of SHA-256
}

func fingerprintOf(b []byte) fingerprint {
	sum := sha256.Sum256(b)
	return fingerprint{len(b), hex.EncodeToString(sum[:8])}
}

// begins reports whether the bytes begin with those of the fingerprint.
func (f fingerprint) begins(b []byte) bool {
	return f.size <= len(b) && fingerprintOf(b[:f.size]) == f
}

func (f fingerprint) String() string { return strconv.Itoa(f.size) + ":" + f.hash }

func parseFingerprint(text string) (fingerprint, bool) {
	size, hash, ok := strings.Cut(text, ":")
	n, err := strconv.Atoi(size)
	if !ok || err != nil || n < 0 || n > sample || len(hash) != 16 {
		return fingerprint{}, false
	}
	return fingerprint{n, hash}, true
}

// mark is a place in a file, by which the file is known again: its content begins with the head, and the tail stands before
// the offset.
type mark struct {
	offset     int64 // in what a compressed file holds
	head, tail fingerprint
}

func (m mark) String() string { return fmt.Sprintf("%d %s %s", m.offset, m.head, m.tail) }

func parseMark(offset, head, tail string) (mark, bool) {
	var m mark
	var err error
	var ok1, ok2 bool
	m.offset, err = strconv.ParseInt(offset, 10, 64)
	m.head, ok1 = parseFingerprint(head)
	m.tail, ok2 = parseFingerprint(tail)
	return m, err == nil && ok1 && ok2 && m.offset >= int64(max(m.head.size, m.tail.size))
}

// position is where in a log a reading stands: a cursor's position.
type position struct {
	mark              // of the next byte
	file    string    // which; unknownFile: none was there yet
	inside  bool      // the offset is inside a line whose beginning was read: its rest is passed over
	written time.Time // when the file was last written to as far as the reading knows; files written to earlier are older

	seen sight
}

// sight is how far the live file was written while the reading stood in a rotated one: so it is known if that is destroyed
// before anything of it was read. The zero value: the live file is the one that is read, or had no line.
type sight struct {
	mark
	between int // how many rotated files were between the two
}

// parseSight reads what stands in a position behind all else.
func parseSight(words []string) (sight, bool) {
	m, ok := parseMark(words[0], words[1], words[2])
	between, err := strconv.ParseUint(words[3], 10, 31)
	return sight{m, int(between)}, ok && err == nil
}

// edition begins each position, for the time when there is another form.
const edition = "1"

// How many words a position has, and what was seen of the live file behind them.
const (
	positionWords = 7
	sightWords    = 4
)

func (p position) String() string {
	state := "-"
	if p.inside {
		state = "inside"
	}
	text := fmt.Sprintf("%s %s %d %s %s %s %d", edition, p.file, p.offset, state, p.head, p.tail, p.written.UnixNano())
	if p.seen.offset > 0 {
		text += fmt.Sprintf(" %s %d", p.seen, p.seen.between)
	}
	return text
}

func parsePosition(text string) (position, error) {
	words := strings.Fields(text)
	seen := len(words) == positionWords+sightWords
	if len(words) != positionWords && !seen || words[0] != edition {
		return position{}, fmt.Errorf("a cursor's position is not of this client: %.60q", text)
	}
	p := position{file: words[1], inside: words[3] == "inside"}
	written, err := strconv.ParseInt(words[6], 10, 64)
	var ok bool
	if p.mark, ok = parseMark(words[2], words[4], words[5]); ok && seen {
		p.seen, ok = parseSight(words[positionWords:])
	}
	if err != nil || !ok {
		return position{}, fmt.Errorf("a cursor's position is damaged: %.60q", text)
	}
	p.written = time.Unix(0, written)
	return p, nil
}

// match is how well a file fits a mark.
type match int

const (
	other   match = iota
	shorter       // it begins likewise and ends before the mark, but not far: a copy that was made a moment too early
	exact         // what is before the mark is what it says
)

// tooShort is how many bytes a copy may lack at most.
const tooShort = 1 << 20

// fits reports how well a file's content fits a mark, which has some before it. Where it fits exactly the file is left at
// the mark. See seek of ctx.
func (m mark) fits(ctx context.Context, o *opened) (match, error) {
	if !m.head.begins(o.head) {
		return other, nil
	}
	end, err := o.seek(ctx, m.offset)
	if err != nil {
		return other, err
	}
	if end < m.offset {
		if m.head.size == sample && m.offset-end <= tooShort {
			return shorter, nil
		}
		return other, nil
	}
	if len(o.before) < m.tail.size || fingerprintOf(o.before[len(o.before)-m.tail.size:]) != m.tail {
		return other, nil
	}
	return exact, nil
}

// sameHead reports whether the shorter of two files begins as the other does.
func sameHead(a, b *opened) bool {
	n := min(len(a.head), len(b.head))
	return n > 0 && bytes.Equal(a.head[:n], b.head[:n])
}
