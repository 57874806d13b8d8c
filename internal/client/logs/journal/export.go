package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of an entry: what is beyond them is passed over, and the entry marked. A coredump can be a field of a gigabyte.
const (
	maxValue  = 128 << 10 // bytes of a field that are kept
	maxKept   = 512 << 10 // bytes of all fields of an entry that are kept
	maxFields = 1024      // of an entry
	maxName   = 64        // bytes of a field's name, which is journald's own bound

	// What journald says itself of an entry, above all who wrote it, has room beyond that: nobody is to get rid of it by
	// writing more than is kept.
	maxOwnFields = 64
	maxOwnKept   = 64 << 10
)

// isOwn reports whether a field is one that programs can't write: systemd.journal-fields(7).
func isOwn(name []byte) bool { return len(name) > 0 && name[0] == '_' }

// field is one of an entry. Its parts are good until the next entry is read.
type field struct{ name, value []byte }

// entry is one of the journal, with its fields in their order. It is used again for each.
type entry struct {
	fields []field
	cut    bool // something was passed over

	text []byte // what the fields are in
	ends []int  // where in text each name and each value ends
	room int    // how long text may become by the field that is being read
}

// parser reads journald's export format: https://systemd.io/JOURNAL_EXPORT_FORMATS. A field is a line NAME=value, or, where
// the value is not plain text, the line NAME, eight bytes with the value's length, little-endian, the value and a line feed;
// an empty line ends an entry.
type parser struct{ in *bufio.Reader }

func newParser(r io.Reader) *parser { return &parser{bufio.NewReaderSize(r, 64<<10)} }

// errForm is in the chain of every error of a text that is not in the export format.
var errForm = errors.New("that is not the journal's export format")

// next reads an entry. The error is io.EOF at the end of the text, io.ErrUnexpectedEOF where that is within an entry, wraps
// errForm, or is the reader's.
func (p *parser) next(e *entry) error {
	e.fields, e.text, e.ends, e.cut = e.fields[:0], e.text[:0], e.ends[:0], false
	begun := false
	for {
		line, err := p.in.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0 && !begun:
			return io.EOF
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		case err == nil && len(line) == 1 && begun:
			e.index()
			return nil
		case err == nil && len(line) == 1: // empty lines before the first entry
			continue
		}
		begun = true
		if err := p.field(e, line, err == nil); err != nil {
			return err
		}
	}
}

// field reads the field that a line begins. Where the line is not whole the rest of it is still to be read.
func (p *parser) field(e *entry, line []byte, whole bool) error {
	if whole {
		line = line[:len(line)-1]
	}
	name, value, text := bytes.Cut(line, []byte{'='})
	if !isName(name) || !text && !whole {
		return fmt.Errorf("%w: it has the line %.100q", errForm, line)
	}
	kept := e.begin(name)
	e.room = maxKept
	if isOwn(name) {
		e.room += maxOwnKept
	}
	if !text {
		return p.binary(e, kept)
	}
	e.add(value, kept, 0)
	had := len(value)
	for !whole {
		line, err := p.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return unexpected(err)
		}
		if whole = err == nil; whole {
			line = line[:len(line)-1]
		}
		e.add(line, kept, had)
		had += len(line)
	}
	e.end(kept)
	return nil
}

// binary reads the value of a field whose length stands before it.
func (p *parser) binary(e *entry, kept bool) error {
	var head [8]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return unexpected(err)
	}
	left, had := binary.LittleEndian.Uint64(head[:]), 0
	for left > 0 {
		piece, err := p.in.Peek(int(min(left, uint64(p.in.Size()))))
		if len(piece) == 0 {
			return unexpected(err)
		}
		e.add(piece, kept, had)
		had += len(piece)
		left -= uint64(len(piece))
		p.in.Discard(len(piece)) //nolint:errcheck // they were seen
	}
	end, err := p.in.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if end != '\n' {
		return fmt.Errorf("%w: a value does not end where it should", errForm)
	}
	e.end(kept)
	return nil
}

// begin takes the name of a field, and returns whether the entry has room for one.
func (e *entry) begin(name []byte) bool {
	most := maxFields
	if isOwn(name) {
		most += maxOwnFields
	}
	if len(e.ends) >= 2*most {
		e.cut = true
		return false
	}
	e.text = append(e.text, name...)
	e.ends = append(e.ends, len(e.text))
	return true
}

// add takes a piece of the field's value, of which it had so many bytes already.
func (e *entry) add(piece []byte, kept bool, had int) {
	room := max(0, min(maxValue-had, e.room-len(e.text)))
	if len(piece) > room {
		piece, e.cut = piece[:room], true
	}
	if kept {
		e.text = append(e.text, piece...)
	}
}

func (e *entry) end(kept bool) {
	if kept {
		e.ends = append(e.ends, len(e.text))
	}
}

// index finds the fields in the text, which does not move any more.
func (e *entry) index() {
	at := 0
	for i := 0; i+1 < len(e.ends); i += 2 {
		name, value := e.ends[i], e.ends[i+1]
		e.fields = append(e.fields, field{e.text[at:name:name], e.text[name:value:value]})
		at = value
	}
}

func isName(name []byte) bool {
	if len(name) == 0 || len(name) > maxName {
		return false
	}
	for _, c := range name {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// unexpected is the error of a text that ends where it should not.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
