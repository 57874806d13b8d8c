package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"muster/internal/report"
)

// longest is how many bytes of a line are kept.
const longest = report.MaxRaw

// chunk is how many bytes are read at once.
const chunk = 32 << 10

// scanner takes lines out of a content, from an offset on. Of a line that is longer than longest only the beginning is
// given, so its memory is bounded by longest, chunk and sample.
type scanner struct {
	ctx        context.Context //nolint:containedctx // of one reading, which the scanner does not outlive
	from       io.Reader
	buffer     []byte
	start, end int   // what is in the buffer and not taken yet; before start stands what was taken, sample bytes at least
	offset     int64 // in the content, of start
	inside     bool  // inside a line of which the beginning was given
	ended      bool  // the content has no more, for now
}

// line is one line. Its text is valid until the next call.
type line struct {
	offset int64 // of its first byte
	text   []byte
	cut    bool
}

// newScanner returns a scanner of what a file holds from where it was left by seek.
func newScanner(ctx context.Context, o *opened, inside bool) *scanner {
	s := &scanner{ctx: ctx, from: o, buffer: make([]byte, sample+2*chunk), offset: o.at, inside: inside}
	s.start = copy(s.buffer, o.before)
	s.end = s.start
	return s
}

// next takes the next line that has an end. Where the content ends before, it returns false, or, if the content is
// final, what there is. NUL at the beginning of a line is passed over. When ctx ends that is an error, its own. After an
// error the scanner stands between lines, or inside one of which the beginning was given.
func (s *scanner) next(final bool) (line, bool, error) {
	searched := 0
	for {
		s.pass()
		rest := s.buffer[s.start:s.end]
		if i := bytes.IndexByte(rest[searched:], '\n'); i >= 0 && searched+i <= longest && !s.inside {
			l := line{offset: s.offset, text: withoutReturn(rest[:searched+i])}
			s.take(searched + i + 1)
			return l, true, nil
		}
		if len(rest) > longest {
			n := wholeCharacters(rest, longest)
			l := line{offset: s.offset, text: rest[:n], cut: true}
			s.take(n)
			s.inside = true
			return l, true, nil
		}
		searched = len(rest)
		if !s.ended {
			if err := s.fill(); err != nil {
				return line{}, false, err
			}
			continue
		}
		if !final || len(rest) == 0 {
			return line{}, false, nil
		}
		l := line{offset: s.offset, text: withoutReturn(rest)}
		s.take(len(rest))
		return l, true, nil
	}
}

// pass takes what is no part of any line that is to be given: the rest of one that was cut, and NUL before one.
func (s *scanner) pass() {
	if s.inside {
		rest := s.buffer[s.start:s.end]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			s.take(len(rest))
			return
		}
		s.take(i + 1)
		s.inside = false
	}
	s.take(zeros(s.buffer[s.start:s.end]))
}

// zeros returns how many NUL the bytes begin with. There may be gigabytes of them: it looks at eight at once.
func zeros(b []byte) int {
	n := 0
	for len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:]) == 0 {
		n += 8
	}
	for n < len(b) && b[n] == 0 {
		n++
	}
	return n
}

func (s *scanner) take(n int) {
	s.start += n
	s.offset += int64(n)
}

// fill reads more behind what is in the buffer.
func (s *scanner) fill() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if len(s.buffer)-s.end < chunk {
		keep := max(0, s.start-sample)
		s.end = copy(s.buffer, s.buffer[keep:s.end])
		s.start -= keep
	}
	if len(s.buffer)-s.end < chunk { // in a long line
		s.buffer = append(s.buffer, make([]byte, sample+longest+chunk-len(s.buffer))...)
	}
	n, err := s.from.Read(s.buffer[s.end : s.end+chunk])
	s.end += n
	if errors.Is(err, io.EOF) {
		s.ended = n == 0
		return nil
	}
	return err
}

// tail returns what stands before an offset, up to sample bytes. The offset is where the scanner stands, or the last
// line's.
func (s *scanner) tail(offset int64) []byte {
	end := s.start - int(s.offset-offset)
	return s.buffer[max(0, end-sample):end]
}

// withoutReturn cuts the CR of a CR LF off.
func withoutReturn(text []byte) []byte {
	return bytes.TrimSuffix(text, []byte{'\r'})
}

// wholeCharacters returns n, or a little less so as not to cut a character of UTF-8 in two.
func wholeCharacters(text []byte, n int) int {
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return n
}
