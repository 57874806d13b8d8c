package files

import (
	"bytes"
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

// position is where in a log a reading stands: a cursor's position.
type position struct {
	file    string // which; unknownFile: none was there yet
	offset  int64  // of the next byte; in what a compressed file holds
	inside  bool   // the offset is inside a line whose beginning was read: its rest is passed over
	head    fingerprint
	tail    fingerprint // of the bytes before the offset
	written time.Time   // when the file was last written to as far as the reading knows; files written to earlier are older
}

// edition begins each position and identity, for the time when there is another form.
const edition = "1"

func (p position) String() string {
	state := "-"
	if p.inside {
		state = "inside"
	}
	return fmt.Sprintf("%s %s %d %s %s %s %d", edition, p.file, p.offset, state, p.head, p.tail, p.written.UnixNano())
}

func parsePosition(text string) (position, error) {
	words := strings.Fields(text)
	if len(words) != 7 || words[0] != edition {
		return position{}, fmt.Errorf("a cursor's position is not of this client: %.60q", text)
	}
	p := position{file: words[1], inside: words[3] == "inside"}
	var err, err2 error
	p.offset, err = strconv.ParseInt(words[2], 10, 64)
	written, err2 := strconv.ParseInt(words[6], 10, 64)
	var ok1, ok2 bool
	p.head, ok1 = parseFingerprint(words[4])
	p.tail, ok2 = parseFingerprint(words[5])
	if err != nil || err2 != nil || !ok1 || !ok2 || p.offset < 0 ||
		int64(p.head.size) > p.offset || int64(p.tail.size) > p.offset {
		return position{}, fmt.Errorf("a cursor's position is damaged: %.60q", text)
	}
	p.written = time.Unix(0, written)
	return p, nil
}

// match is how well a file fits a position.
type match int

const (
	other   match = iota
	shorter       // it begins likewise and ends before the position, but not far: a copy that was made a moment too early
	exact         // what is before the position is what was read
)

// tooShort is how many bytes a copy may lack at most.
const tooShort = 1 << 20

// fits reports how well a file's content fits a position, which has some before it. Where it fits exactly the file is left
// at the position.
func (p position) fits(o *opened) (match, error) {
	if !p.head.begins(o.head) {
		return other, nil
	}
	end, err := o.seek(p.offset)
	if err != nil {
		return other, err
	}
	if end < p.offset {
		if p.head.size == sample && p.offset-end <= tooShort {
			return shorter, nil
		}
		return other, nil
	}
	if len(o.before) < p.tail.size || fingerprintOf(o.before[len(o.before)-p.tail.size:]) != p.tail {
		return other, nil
	}
	return exact, nil
}

// sameHead reports whether the shorter of two files begins as the other does.
func sameHead(a, b *opened) bool {
	n := min(len(a.head), len(b.head))
	return n > 0 && bytes.Equal(a.head[:n], b.head[:n])
}
