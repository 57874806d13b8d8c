package visit

import (
	"crypto/rand"
	"encoding/base32"
	"time"
)

// idAlphabet is that of Crockford's base 32 in lower case: its digits are in the order of their values, so that the text
// sorts as the bytes do.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newID returns the id of a visit: 26 characters that begin with the time in milliseconds, so that ids sort by it, and end
// in 80 random bits. It is laid out as a ULID is (github.com/ulid/spec), in lower case.
func newID(now time.Time) string {
	var b [16]byte
	milliseconds := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(milliseconds >> (40 - 8*i))
	}
	rand.Read(b[6:]) // never fails: crypto/rand ends the program instead
	return base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding).EncodeToString(b[:])
}
