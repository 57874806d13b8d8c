package report

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Bounds of a request.
const (
	MaxRequest  = 256 << 10 // bytes of the line, in base64
	MaxDeadline = 24 * time.Hour
	MaxSample   = time.Hour
	MaxSources  = 100
	MaxFile     = 100     // characters of the file's name
	MaxParts    = 100_000 // of a visit
)

// String describes the request without its key and nonce, so that they can't get into a log by way of it.
func (r Request) String() string {
	return fmt.Sprintf("request of visit %q to host %q", r.Visit, r.Host)
}

// GoString is String, for %#v.
func (r Request) GoString() string { return r.String() }

// Encode returns the request as the one line, base64 of its XML, that the client reads. The line end is not part of it.
// The error says which field may not be sent.
func (r *Request) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	b := append([]byte(nil), "<request xmlns=\""+RequestNamespace+"\""...)
	b = appendAttribute(b, "visit", r.Visit)
	b = appendAttribute(b, "host", r.Host)
	b = appendAttribute(b, "key", hex.EncodeToString(r.Key[:]))
	b = appendAttribute(b, "nonce", hex.EncodeToString(r.Nonce[:]))
	if r.Deadline > 0 {
		b = appendAttribute(b, "deadline", r.Deadline.String())
	}
	if r.Sample > 0 {
		b = appendAttribute(b, "sample", r.Sample.String())
	}
	b = appendOptional(b, "file", r.File)
	b = appendCount(b, "part", int64(r.Part))
	b = appendCount(b, "records", int64(r.Records))
	b = appendCount(b, "bytes", int64(r.Bytes))
	b = append(b, '>')
	for _, source := range r.Sources {
		b = append(b, "<source"...)
		b = appendAttribute(b, "name", source)
		b = append(b, "/>"...)
	}
	for i := range r.Logs {
		b = appendLogRequest(b, &r.Logs[i])
	}
	b = append(b, "</request>"...)
	line := base64.StdEncoding.AppendEncode(nil, b)
	if len(line) > MaxRequest {
		return nil, fmt.Errorf("request: %d bytes are %w (%d)", len(line), ErrTooLarge, MaxRequest)
	}
	return line, nil
}

// ReadRequest reads one request line from r, of at most MaxRequest bytes, and blocks until its end has come. Nothing
// after the line is lost: where r is an io.ByteReader, such as a *bufio.Reader, what it holds back stays in it; any
// other reader is read byte by byte. An error never holds a part of the request, for there is a key in it.
//
// Attributes and elements that are not known are passed over, as in a report: an older client does what it can for a
// newer server.
func ReadRequest(r io.Reader) (*Request, error) {
	line, err := readRequestLine(r)
	if err != nil {
		return nil, err
	}
	document := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Strict().Decode(document, line)
	if err != nil {
		return nil, errors.New("request: the line is not base64")
	}
	s, err := newScanner("request", document[:n])
	if err != nil {
		return nil, err
	}
	p := parser{scanner: s, namespace: RequestNamespace}
	request := &Request{}
	if err := p.request(request); err != nil {
		return nil, err
	}
	return request, nil
}

func readRequestLine(r io.Reader) ([]byte, error) {
	source, ok := r.(io.ByteReader)
	if !ok {
		source = byteReader{r}
	}
	line := make([]byte, 0, 1024)
	for {
		c, err := source.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, fmt.Errorf("request: none came before the end of the input: %w", io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("request: the input ended inside it: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return nil, fmt.Errorf("request: read it: %w", err)
		case c == '\n':
			return bytes.TrimSuffix(line, []byte("\r")), nil
		case len(line) == MaxRequest+1: // one more than the bound for a carriage return
			return nil, fmt.Errorf("request: the line is %w (%d bytes)", ErrTooLarge, MaxRequest)
		}
		line = append(line, c)
	}
}

// byteReader reads single bytes, and so never one too many.
type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.Reader, b[:])
	return b[0], err
}

// check returns why the request can't be sent, or nil.
func (r *Request) check() error {
	if err := checkFilled(r.Visit, MaxText); err != nil {
		return fmt.Errorf("visit: %w", err)
	}
	if err := checkFilled(r.Host, MaxText); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	if r.Deadline < 0 || r.Deadline > MaxDeadline {
		return fmt.Errorf("the deadline %s is not between 0 and %s", r.Deadline, MaxDeadline)
	}
	if r.Sample < 0 || r.Sample > MaxSample {
		return fmt.Errorf("the sample of %s is not between 0 and %s", r.Sample, MaxSample)
	}
	if err := checkFile(r.File); r.File != "" && err != nil {
		return fmt.Errorf("file: %w", err)
	}
	if len(r.Sources) > MaxSources {
		return fmt.Errorf("%d sources are %w (%d)", len(r.Sources), ErrTooLarge, MaxSources)
	}
	for _, source := range r.Sources {
		if err := checkName(source); err != nil {
			return fmt.Errorf("source %s: %w", quote(source), err)
		}
	}
	return r.checkLogs()
}

// checkFile returns why a text can't be the base name of a file on every platform, or nil. A client writes to no other
// folder than its own, whatever it is asked.
func checkFile(name string) error {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return errors.New("a file's name is made of letters, digits, \".\", \"-\" and \"_\"")
		}
	}
	if name == "" || len(name) > MaxFile || strings.HasSuffix(name, ".") || strings.HasPrefix(name, "-") {
		return fmt.Errorf("a file's name has 1 to %d characters, no \"-\" first and no \".\" last", MaxFile)
	}
	return nil
}

func (p *parser) request(r *Request) error {
	if err := p.root("request"); err != nil {
		return err
	}
	at := p.at
	present := make(map[string]bool, len(p.attributes))
	for i := range p.attributes {
		a := &p.attributes[i]
		if err := r.set(a); err != nil {
			return p.failAttribute(a, err)
		}
		present[a.name] = true
	}
	for _, name := range []string{"visit", "host", "key", "nonce"} {
		if !present[name] {
			return p.fail(at, "<request> has no %s", name)
		}
	}
	err := p.children(func(name string) error {
		switch name {
		case "source":
		case "logs":
			return p.logRequest(r)
		default:
			return p.skip(name)
		}
		i := p.find("name")
		if i < 0 {
			return p.fail(p.at, "<source> has no name")
		}
		if len(r.Sources) == MaxSources {
			return p.tooMany(p.at, MaxSources, "sources")
		}
		r.Sources = append(r.Sources, strings.Clone(p.attributes[i].value))
		return p.leaf()
	})
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return p.fail(at, "%v", err)
	}
	return p.end()
}

// set takes the value of an attribute.
func (r *Request) set(a *attribute) (err error) {
	switch a.name {
	case "visit":
		r.Visit = strings.Clone(a.value)
	case "host":
		r.Host = strings.Clone(a.value)
	case "key":
		err = decodeSecret(r.Key[:], a.value)
	case "nonce":
		err = decodeSecret(r.Nonce[:], a.value)
	case "deadline":
		r.Deadline, err = parseDuration(a.value)
	case "sample":
		r.Sample, err = parseDuration(a.value)
	case "file":
		r.File = strings.Clone(a.value)
		err = checkFile(r.File)
	case "part":
		r.Part, err = parseInt(a.value, MaxParts)
	case "records":
		r.Records, err = parseInt(a.value, MaxRecords)
	case "bytes":
		r.Bytes, err = parseInt(a.value, MaxRecordBytes)
	}
	return err
}

func decodeSecret(into []byte, text string) error {
	if len(text) == hex.EncodedLen(len(into)) {
		if _, err := hex.Decode(into, []byte(text)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("it is not %d bytes in hexadecimal", len(into))
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("it is not a duration like 30s")
	}
	return d, nil
}
