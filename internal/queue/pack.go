package queue

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// A group is packed as
//
//	"MQ1" · entries up to its end, ever (uvarint) · zstd( for each entry: kind, id, data )
//
// with each text as its length (uvarint) and its bytes. The number stands outside of the compressed part, so that it is
// read without unpacking.
const packMagic = "MQ1"

// unpackedMost bounds what is put into a group and what one may unpack to, in bytes.
const unpackedMost = 2 * embeddedMax

var errPack = errors.New("a group of entries is damaged")

// packer packs and unpacks groups. It is safe for concurrent use.
type packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newPacker() (*packer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(unpackedMost), zstd.WithDecoderConcurrency(2),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &packer{encoder, decoder}, nil
}

func (p *packer) close() { p.decoder.Close() }

// pack returns a group. Its entries have at most unpackedMost bytes in all.
func (p *packer) pack(entries []Entry, upTo uint64) []byte {
	size := 0
	for i := range entries {
		size += entries[i].size()
	}
	plain := make([]byte, 0, size)
	for i := range entries {
		e := &entries[i]
		plain = appendText(plain, e.Kind)
		plain = appendText(plain, e.ID)
		plain = appendText(plain, e.Data)
	}
	packed := binary.AppendUvarint([]byte(packMagic), upTo)
	return p.encoder.EncodeAll(plain, packed)
}

// unpack returns the entries of a group. The data of each is a part of one buffer that the entries own.
func (p *packer) unpack(packed []byte) ([]Entry, error) {
	_, compressed, err := packHeader(packed)
	if err != nil {
		return nil, err
	}
	plain, err := p.decoder.DecodeAll(compressed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPack, err)
	}
	var entries []Entry
	for len(plain) > 0 {
		var kind, id, data []byte
		for _, text := range []*[]byte{&kind, &id, &data} {
			if *text, plain, err = cutText(plain); err != nil {
				return nil, err
			}
		}
		entries = append(entries, Entry{Kind: string(kind), ID: string(id), Data: data})
	}
	return entries, nil
}

// packHeader returns how many entries there were up to the group's end, and what is compressed.
func packHeader(packed []byte) (upTo uint64, compressed []byte, err error) {
	if len(packed) < len(packMagic) || string(packed[:len(packMagic)]) != packMagic {
		return 0, nil, fmt.Errorf("%w: it does not begin with %s", errPack, packMagic)
	}
	upTo, n := binary.Uvarint(packed[len(packMagic):])
	if n <= 0 {
		return 0, nil, fmt.Errorf("%w: it has no number", errPack)
	}
	return upTo, packed[len(packMagic)+n:], nil
}

func appendText[T string | []byte](to []byte, text T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

func cutText(from []byte) (text, rest []byte, err error) {
	length, n := binary.Uvarint(from)
	if n <= 0 || length > uint64(len(from)-n) {
		return nil, nil, fmt.Errorf("%w: a text in it is cut", errPack)
	}
	end := n + int(length)
	return from[n:end:end], from[end:], nil
}
