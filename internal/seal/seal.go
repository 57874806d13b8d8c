package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Overhead is by how many bytes an envelope may be longer than its text.
const Overhead = headerSize + tagSize

const (
	magic      = "MSTR"
	version    = 1
	headerSize = len(magic) + 1 + 1 + 4
	tagSize    = 16

	compressed = 1 << 0 // flag
)

// Binding is what a sealed report is bound to. Seal and Open must be given the same.
type Binding struct {
	Host  string
	Visit string
	Part  uint32 // 0 for the first report of a visit; each further one takes the next nonce
}

// Errors of Seal and Open wrap these.
var (
	ErrAltered  = errors.New("it does not open: it was altered, or sealed for another host, visit or part")
	ErrTooLarge = errors.New("larger than allowed")
	ErrFormat   = errors.New("not a sealed report of this version")
	ErrNonce    = errors.New("the visit has no nonce left for this part")
)

// header is what stands unencrypted in front.
type header struct {
	flags  byte
	length uint32 // of the text
}

func (h header) append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, version, h.flags)
	return binary.BigEndian.AppendUint32(b, h.length)
}

// Seal compresses and encrypts plaintext. The error wraps ErrTooLarge for a text of 4 GiB or more, or ErrNonce. The
// result shares no memory with plaintext.
func Seal(key [32]byte, nonce [12]byte, to Binding, plaintext []byte) ([]byte, error) {
	if uint64(len(plaintext)) > math.MaxUint32 {
		return nil, fmt.Errorf("seal: %d bytes are %w", len(plaintext), ErrTooLarge)
	}
	nonce, err := partNonce(nonce, to.Part)
	if err != nil {
		return nil, err
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	head := header{length: uint32(len(plaintext))}
	text, err := deflate(plaintext)
	if err != nil {
		return nil, err
	}
	if text != nil {
		head.flags |= compressed
	} else {
		text = plaintext
	}
	sealed := head.append(make([]byte, 0, len(text)+Overhead))
	return aead.Seal(sealed, nonce[:], text, additional(sealed, to)), nil
}

// Open returns the plaintext or an error, and never a part of it. limit bounds the plaintext in bytes, and so what Open
// allocates. The error wraps ErrFormat for what is no envelope, ErrTooLarge, ErrAltered or ErrNonce.
func Open(key [32]byte, nonce [12]byte, from Binding, sealed []byte, limit int) ([]byte, error) {
	head, err := readHeader(sealed, limit)
	if err != nil {
		return nil, err
	}
	nonce, err = partNonce(nonce, from.Part)
	if err != nil {
		return nil, err
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, nonce[:], sealed[headerSize:], additional(sealed[:headerSize], from))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", ErrAltered)
	}
	if head.flags&compressed == 0 {
		return text, nil
	}
	return inflate(text, int(head.length))
}

// readHeader reads the header and checks that the lengths fit each other and the limit.
func readHeader(sealed []byte, limit int) (header, error) {
	switch {
	case len(sealed) < Overhead:
		return header{}, fmt.Errorf("seal: %w: it has only %d bytes", ErrFormat, len(sealed))
	case string(sealed[:len(magic)]) != magic:
		return header{}, fmt.Errorf("seal: %w: it does not begin with %s", ErrFormat, magic)
	case sealed[len(magic)] != version:
		return header{}, fmt.Errorf("seal: %w: it is of version %d, this is version %d", ErrFormat, sealed[len(magic)], version)
	}
	head := header{flags: sealed[len(magic)+1], length: binary.BigEndian.Uint32(sealed[headerSize-4:])}
	inside := int64(len(sealed) - Overhead)
	length := int64(head.length)
	switch {
	case head.flags&^compressed != 0:
		return header{}, fmt.Errorf("seal: %w: flags %#x are not known", ErrFormat, head.flags)
	case length > int64(limit):
		return header{}, fmt.Errorf("seal: %d bytes are %w (%d)", length, ErrTooLarge, limit)
	case head.flags == 0 && inside != length, head.flags == compressed && inside >= length:
		return header{}, fmt.Errorf("seal: %w: %d bytes do not hold a text of %d", ErrFormat, inside, length)
	}
	return head, nil
}

// partNonce returns the nonce of a part.
func partNonce(nonce [12]byte, part uint32) ([12]byte, error) {
	counter := nonce[len(nonce)-4:]
	first := binary.BigEndian.Uint32(counter)
	if part > math.MaxUint32-first {
		return nonce, fmt.Errorf("seal: part %d: %w", part, ErrNonce)
	}
	binary.BigEndian.PutUint32(counter, first+part)
	return nonce, nil
}

// additional returns the additional data: no two different headers and bindings give the same.
func additional(header []byte, b Binding) []byte {
	data := make([]byte, 0, len(header)+4+len(b.Host)+4+len(b.Visit)+4)
	data = append(data, header...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(b.Host)))
	data = append(data, b.Host...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(b.Visit)))
	data = append(data, b.Visit...)
	return binary.BigEndian.AppendUint32(data, b.Part)
}

func newGCM(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead, nil
}
