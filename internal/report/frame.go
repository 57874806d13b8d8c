package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of a frame.
const (
	MaxFrame = MaxDocument + 1<<10 // bytes of the sealed report
	MaxNoise = 64 << 10            // bytes that may come before the header
	maxKept  = 8 << 10             // bytes of them that are kept
)

// What can be wrong with a frame. Errors of this package wrap these where they apply.
var (
	ErrNoReport = errors.New("no report came")
	ErrCut      = errors.New("the report was cut off")
	ErrAltered  = errors.New("the report was altered on its way")
)

// NoReportError is the error of ReadHeader where there is no header. It wraps ErrNoReport.
type NoReportError struct {
	Noise []byte // what came instead, without blank lines, cut to 8 KiB
	More  bool   // so much came that ReadHeader stopped reading
	Err   error  // of the reader, where it did not end in good order
}

// Error quotes the last line of what came instead: that is where a shell says why it did not run the client.
func (e *NoReportError) Error() string {
	text := "report: " + ErrNoReport.Error()
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", text, e.Err)
	}
	if e.More {
		return fmt.Sprintf("%s within the first %d bytes of output", text, MaxNoise)
	}
	if len(e.Noise) == 0 {
		return text
	}
	last := bytes.TrimSpace(e.Noise)
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	return fmt.Sprintf("%s; the last line of output was %.200q", text, last)
}

// Unwrap returns ErrNoReport, and the error of the reader if there is one.
func (e *NoReportError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrNoReport}
	}
	return []error{ErrNoReport, e.Err}
}

// Frame is a frame's header: what is to come and what came before it.
//
// A frame is how a sealed report passes through a remote shell's standard output, where other programs may have written
// before it, and line ends may be translated:
//
//	MUSTER1 <bytes> <sha256>␊             the length of the sealed report, and its SHA-256 in lower-case hexadecimal
//	<base64>␊                             the sealed report (RFC 4648, section 4), on one line
//
// or, for a report that lies in a file:
//
//	MUSTER1 <bytes> <sha256> file␊
//
// The sum is no protection against an attacker, which the seal is. It tells a report that was damaged in the pipe from
// one that does not open.
type Frame struct {
	Size   int      // bytes of the sealed report, from 1 to MaxFrame
	SHA256 [32]byte // of the sealed report
	File   bool     // the report is in the file that the request named, and no body follows
	Noise  []byte   // what came before the header (a banner), without blank lines, cut to 8 KiB
}

const (
	magic      = "MUSTER1 "
	fileSuffix = " file"
	maxHeader  = len(magic) + len("9999999 ") + 2*sha256.Size + len(fileSuffix) + len("\r\n")
)

// WriteFrame writes sealed as a frame, in one Write. A blank line goes before it, so that the header begins a line even
// where a login script has left one open.
func WriteFrame(w io.Writer, sealed []byte) error {
	b, err := appendHeader(make([]byte, 0, 1+maxHeader+base64.StdEncoding.EncodedLen(len(sealed))+1), sealed, "")
	if err != nil {
		return err
	}
	b = append(base64.StdEncoding.AppendEncode(b, sealed), '\n')
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("report: write the frame: %w", err)
	}
	return nil
}

// WriteFileFrame writes the header for a sealed report that lies in the file which the request named.
func WriteFileFrame(w io.Writer, sealed []byte) error {
	b, err := appendHeader(nil, sealed, fileSuffix)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("report: write the frame: %w", err)
	}
	return nil
}

func appendHeader(b, sealed []byte, suffix string) ([]byte, error) {
	switch {
	case len(sealed) == 0:
		return nil, errors.New("report: write the frame: the sealed report is empty")
	case len(sealed) > MaxFrame:
		return nil, fmt.Errorf("report: %d bytes in the frame are %w (%d)", len(sealed), ErrTooLarge, MaxFrame)
	}
	sum := sha256.Sum256(sealed)
	b = append(b, '\n')
	b = append(b, magic...)
	b = strconv.AppendInt(b, int64(len(sealed)), 10)
	b = append(b, ' ')
	b = hex.AppendEncode(b, sum[:])
	b = append(b, suffix...)
	return append(b, '\n'), nil
}

// ReadHeader reads up to the end of a frame's header, and passes over what comes before it. The header must begin a
// line; its line may end in CR LF. ReadHeader reads at most MaxNoise bytes before the header, and blocks until the header
// has come. The body is to be read from the same r.
//
// The error is a *NoReportError where the input ends, fails or grows beyond MaxNoise before a header; or it wraps ErrCut,
// ErrAltered, ErrTooLarge or the error of r.
func ReadHeader(r *bufio.Reader) (*Frame, error) {
	var noise []byte
	for total := 0; total <= MaxNoise; {
		line, length, err := readLine(r, MaxNoise+1-total)
		if bytes.HasPrefix(line, []byte(magic)) {
			return parseHeader(line, noise, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			noise = append(noise, line[:min(len(line), maxKept-len(noise))]...)
		}
		switch {
		case isEnd(err):
			return nil, &NoReportError{Noise: noise}
		case err != nil:
			return nil, &NoReportError{Noise: noise, Err: err}
		}
		total += length
	}
	return nil, &NoReportError{Noise: noise, More: true}
}

// readLine reads to the end of the line, but not much more than most bytes. It returns the line's beginning, cut to
// maxKept bytes, and how many bytes it read.
func readLine(r *bufio.Reader, most int) (line []byte, length int, err error) {
	for length < most {
		var part []byte
		part, err = r.ReadSlice('\n')
		length += len(part)
		line = append(line, part[:min(len(part), maxKept-len(line))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, length, err
		}
	}
	return line, length, nil
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// parseHeader reads the header line, which came with the error err.
func parseHeader(line, noise []byte, err error) (*Frame, error) {
	switch {
	case isEnd(err):
		return nil, fmt.Errorf("report: %w inside the frame's header", ErrCut)
	case err != nil:
		return nil, fmt.Errorf("report: read the frame's header: %w", err)
	}
	altered := fmt.Errorf("report: %w: the frame's header is malformed", ErrAltered)
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	line, file := bytes.CutSuffix(line[len(magic):], []byte(fileSuffix))
	digits, sum, _ := bytes.Cut(line, []byte(" "))
	if len(digits) == 0 || digits[0] < '1' || digits[0] > '9' || len(sum) != 2*sha256.Size {
		return nil, altered
	}
	size, err := strconv.ParseUint(string(digits), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && size > MaxFrame:
		return nil, fmt.Errorf("report: %.20s bytes in the frame are %w (%d)", digits, ErrTooLarge, MaxFrame)
	case err != nil || !bytes.Equal(sum, bytes.ToLower(sum)):
		return nil, altered
	}
	f := &Frame{Size: int(size), File: file, Noise: noise}
	if _, err := hex.Decode(f.SHA256[:], sum); err != nil {
		return nil, altered
	}
	return f, nil
}

// ReadBody reads the base64 body that follows the header, from the reader that gave the header, and checks it. It
// returns as soon as the body is complete and does not wait for what follows, not even the end of the line. Memory is
// taken as bytes come, not as the header announces them.
//
// The error wraps ErrCut, ErrAltered or the error of r. A frame whose report lies in a file has no body: to read one is
// an error, too.
func (f *Frame) ReadBody(r *bufio.Reader) ([]byte, error) {
	if f.File {
		return nil, errors.New("report: the frame has no body, the report is in a file")
	}
	length := base64.StdEncoding.EncodedLen(f.Size)
	body := bytes.NewBuffer(make([]byte, 0, min(length, 64<<10)+bytes.MinRead))
	_, err := body.ReadFrom(io.LimitReader(r, int64(length)))
	switch {
	case err != nil && !isEnd(err):
		return nil, fmt.Errorf("report: read the frame's body: %w", err)
	case body.Len() < length:
		return nil, fmt.Errorf("report: %w after %d of %d bytes", ErrCut, body.Len(), length)
	}
	sealed := make([]byte, base64.StdEncoding.DecodedLen(length))
	n, err := base64.StdEncoding.Strict().Decode(sealed, body.Bytes())
	if err != nil {
		return nil, fmt.Errorf("report: %w: the frame's body is not base64", ErrAltered)
	}
	if err := f.Check(sealed[:n]); err != nil {
		return nil, err
	}
	return sealed[:n], nil
}

// Check compares a sealed report, such as a downloaded file, with the header. The error wraps ErrCut where it is shorter
// than announced, and ErrAltered where it is longer or another.
func (f *Frame) Check(sealed []byte) error {
	switch {
	case len(sealed) < f.Size:
		return fmt.Errorf("report: %w: it has %d bytes instead of %d", ErrCut, len(sealed), f.Size)
	case len(sealed) > f.Size:
		return fmt.Errorf("report: %w: it has %d bytes instead of %d", ErrAltered, len(sealed), f.Size)
	case sha256.Sum256(sealed) != f.SHA256:
		return fmt.Errorf("report: %w: its SHA-256 is not the one in the frame's header", ErrAltered)
	}
	return nil
}
