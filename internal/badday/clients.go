package badday

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"muster/internal/report"
	"muster/internal/seal"
	"muster/internal/sshtest"
)

// Good is a client that does what it is asked: a small report, sealed, directly or in a file.
func Good(_ context.Context, s *sshtest.Session) sshtest.Exit {
	request, document, err := honest(s.Stdin)
	if err == nil {
		err = deliver(s, request, document)
	}
	return end(s, err)
}

func end(s *sshtest.Session, err error) sshtest.Exit {
	if err != nil {
		_, _ = io.WriteString(s.Stderr, err.Error()+"\n")
		return sshtest.Exit{Status: 1}
	}
	return sshtest.Exit{}
}

// honest reads a request and returns the report that a good client would make of it.
func honest(stdin io.Reader) (*report.Request, []byte, error) {
	request, err := report.ReadRequest(bufio.NewReader(stdin))
	if err != nil {
		return nil, nil, err
	}
	r := report.Report{
		Visit: request.Visit, Host: request.Host, Time: time.Now(), Client: "1.0", OS: "linux", Arch: "amd64",
		Statistics: []report.Statistic{
			{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 1000},
			{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: 42},
		},
	}
	document, err := r.Marshal()
	return request, document, err
}

// deliver seals a document and delivers it as the request asks.
func deliver(s *sshtest.Session, request *report.Request, document []byte) error {
	sealed, err := seal.Seal(request.Key, request.Nonce, seal.Binding{Host: request.Host, Visit: request.Visit, Part: uint32(request.Part)}, document)
	if err != nil {
		return err
	}
	if request.File == "" {
		return report.WriteFrame(s.Stdout, sealed)
	}
	if err := os.WriteFile(reportFile(s, request), sealed, 0o600); err != nil {
		return err
	}
	return report.WriteFileFrame(s.Stdout, sealed)
}

// reportFile is where a report is to be left: beside the client.
func reportFile(s *sshtest.Session, request *report.Request) string {
	return filepath.Join(filepath.Dir(strings.Trim(s.Command, "'")), request.File)
}

// reporting is a client that delivers what change makes of a good report's XML.
func reporting(change func(document string, r *report.Request) string) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		request, document, err := honest(s.Stdin)
		if err == nil {
			err = deliver(s, request, []byte(change(string(document), request)))
		}
		return end(s, err)
	}
}

// replacing is one that replaces a text in it.
func replacing(old, by string) sshtest.Handler {
	return reporting(func(document string, _ *report.Request) string { return strings.Replace(document, old, by, 1) })
}

// framing is a client that sends what change makes of a good frame.
func framing(change func(frame string) string) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		frame, err := goodFrame(s.Stdin)
		if err == nil {
			_, err = io.WriteString(s.Stdout, change(frame))
		}
		return end(s, err)
	}
}

func goodFrame(stdin io.Reader) (string, error) {
	request, document, err := honest(stdin)
	if err != nil {
		return "", err
	}
	sealed, err := seal.Seal(request.Key, request.Nonce, seal.Binding{Host: request.Host, Visit: request.Visit, Part: uint32(request.Part)}, document)
	if err != nil {
		return "", err
	}
	var frame strings.Builder
	err = report.WriteFrame(&frame, sealed)
	return frame.String(), err
}

// hangingAfter is a client that sends what part makes of a good frame, and then never ends.
func hangingAfter(part func(frame string) string) sshtest.Handler {
	return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
		frame, err := goodFrame(s.Stdin)
		if err != nil {
			return end(s, err)
		}
		_, _ = io.WriteString(s.Stdout, part(frame))
		return sshtest.Hang(ctx, s)
	}
}

// disconnecting is a client in the middle of whose report the connection breaks.
func disconnecting(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	frame, err := goodFrame(s.Stdin)
	if err != nil {
		return end(s, err)
	}
	_, _ = io.WriteString(s.Stdout, frame[:len(frame)/2])
	_ = s.Conn.Close()
	return sshtest.Hang(ctx, s)
}

// repeating is a client that sends again what it sent the first time.
func repeating() sshtest.Handler {
	var once sync.Once
	var first string
	return framing(func(frame string) string {
		once.Do(func() { first = frame })
		return first
	})
}

// much is how much a host sends that sends too much.
const much = 1 << 30

// flooding writes a gigabyte, until nobody reads any more.
func flooding(w io.Writer, with string) {
	block := []byte(strings.Repeat(with, 1+(64<<10)/len(with)))
	for sent := 0; sent < much; sent += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// talking is a client that sends a gigabyte of something else, in lines that look like with.
func talking(with string) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		_, err := report.ReadRequest(bufio.NewReader(s.Stdin))
		flooding(s.Stdout, with)
		return end(s, err)
	}
}

// logging is a client that reports well, and logs a gigabyte before.
func logging(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	flooding(s.Stderr, "a line of the client's log that is of no use to anybody\n")
	return Good(ctx, s)
}

// swelling is a client whose file is larger than it said, by far.
func swelling(_ context.Context, s *sshtest.Session) sshtest.Exit {
	request, document, err := honest(s.Stdin)
	if err == nil {
		err = deliver(s, request, document)
	}
	if err == nil {
		err = os.Truncate(reportFile(s, request), much)
	}
	return end(s, err)
}

// bombSize is what a bomb expands to: many times what is allowed, and quick to make for a test.
const bombSize = 64 << 20

// bomb is a client whose report is small and expands to a lot, and says that it expands to as much as is allowed.
func bomb(_ context.Context, s *sshtest.Session) sshtest.Exit {
	request, err := report.ReadRequest(bufio.NewReader(s.Stdin))
	if err != nil {
		return end(s, err)
	}
	var text bytes.Buffer
	squeeze, err := flate.NewWriter(&text, flate.BestSpeed)
	if err != nil {
		return end(s, err)
	}
	if _, err := squeeze.Write(make([]byte, bombSize)); err != nil {
		return end(s, err)
	}
	_ = squeeze.Close()
	sealed, err := envelope(request, text.Bytes()[:min(text.Len(), report.MaxDocument-1)], report.MaxDocument)
	if err == nil {
		err = report.WriteFrame(s.Stdout, sealed)
	}
	return end(s, err)
}

// envelope seals a compressed text as package seal's documentation describes it, with a length that may be a lie.
func envelope(request *report.Request, text []byte, length uint32) ([]byte, error) {
	block, err := aes.NewCipher(request.Key[:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint32([]byte("MSTR\x01\x01"), length)
	additional := bytes.Clone(head)
	for _, part := range []string{request.Host, request.Visit} {
		additional = append(binary.BigEndian.AppendUint32(additional, uint32(len(part))), part...)
	}
	additional = binary.BigEndian.AppendUint32(additional, 0)
	return gcm.Seal(head, request.Nonce[:], text, additional), nil
}

// statistics returns a report's XML with n statistics more.
func statistics(document string, n int) string {
	var many strings.Builder
	for i := range n {
		fmt.Fprintf(&many, `<statistic name="disk.used" instance="%d" unit="B" kind="gauge" value="1"/>`, i)
	}
	return strings.Replace(document, "<statistic ", many.String()+"<statistic ", 1)
}
