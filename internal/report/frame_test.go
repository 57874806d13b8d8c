package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// sealedReport is what a frame may hold: any bytes.
func sealedReport(size int) []byte {
	sealed := make([]byte, size)
	for i := range sealed {
		sealed[i] = byte(i * i >> 3)
	}
	return sealed
}

func frame(t testing.TB, sealed []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteFrame(&b, sealed); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func readFrame(input io.Reader) (*Frame, []byte, error) {
	r := bufio.NewReader(input)
	f, err := ReadHeader(r)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := f.ReadBody(r)
	return f, sealed, err
}

func TestFrameHasOneForm(t *testing.T) {
	// printf 'abc' | sha256sum; printf 'abc' | base64
	want := "\nMUSTER1 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nYWJj\n"
	if got := frame(t, []byte("abc")); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var b bytes.Buffer
	if err := WriteFileFrame(&b, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	want = "\nMUSTER1 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad file\n"
	if got := b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFramesArrive(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 100, 4095, 70_000, MaxFrame} {
		sealed := sealedReport(size)
		text := frame(t, sealed)
		for name, input := range map[string]string{
			"alone":       text,
			"CR LF":       strings.ReplaceAll(text, "\n", "\r\n"),
			"no last end": strings.TrimSuffix(text, "\n"),
			"followed":    text + "logout\n",
			"banner":      "Welcome\nMUSTER is not here, MUSTER1 neither\n" + text,
			"open line":   "last login: never" + text,
			"long line":   strings.Repeat("x", 20_000) + text,
			"blank lines": "\n\r\n \n" + text,
			"other frame": "MUSTER2 3 abc\n" + text,
		} {
			f, got, err := readFrame(strings.NewReader(input))
			if err != nil || !bytes.Equal(got, sealed) || f.Size != size || f.File {
				t.Fatalf("%s, %d bytes: got %d bytes, %v", name, size, len(got), err)
			}
			before, _, _ := strings.Cut(input, "MUSTER1 "+fmt.Sprint(size))
			if want := strings.TrimSpace(before); string(bytes.TrimSpace(f.Noise)) != want[:min(len(want), maxKept)] {
				t.Errorf("%s: the noise is %.100q, want %.100q", name, f.Noise, want)
			}
		}
	}
}

func TestFramesArriveThroughSmallBuffers(t *testing.T) {
	sealed := sealedReport(1000)
	input := "a banner\n" + frame(t, sealed)
	r := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(input)), 16)
	f, err := ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.ReadBody(r)
	if err != nil || !bytes.Equal(got, sealed) || string(f.Noise) != "a banner\n" {
		t.Errorf("got %d bytes after %q, %v", len(got), f.Noise, err)
	}
}

// A host's shell may keep its output open after the client has ended: nothing beyond the frame is waited for.
func TestFrameDoesNotWaitForWhatFollows(t *testing.T) {
	sealed := sealedReport(5000)
	text := strings.TrimSuffix(frame(t, sealed), "\n")
	var header bytes.Buffer
	if err := WriteFileFrame(&header, sealed); err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{text, text + "\n", header.String()} {
		r, w := io.Pipe()
		written := make(chan error, 1)
		go func() {
			_, err := io.WriteString(w, input)
			written <- err
		}()
		buffered := bufio.NewReader(r)
		f, err := ReadHeader(buffered)
		if err != nil {
			t.Fatal(err)
		}
		if f.File != (input == header.String()) {
			t.Errorf("file is %v for %.80q", f.File, input)
		}
		if !f.File {
			if _, err := f.ReadBody(buffered); err != nil {
				t.Error(err)
			}
		}
		r.Close() // without this the writer would wait for a reader of the last line end
		<-written
	}
}

func TestNoReport(t *testing.T) {
	for input, want := range map[string]string{
		"":                               "report: no report came",
		"\n\r\n":                         "report: no report came",
		"This account is not available.": `report: no report came; the last line of output was "This account is not available."`,
		"one\ntwo\x1b\n\n":               `report: no report came; the last line of output was "two\x1b"`,
		" MUSTER1 3 abc\n":               `report: no report came; the last line of output was "MUSTER1 3 abc"`,
		"xMUSTER1 3 " + strings.Repeat("0", 64) + "\n": `report: no report came; the last line of output was "xMUSTER1 3 ` + strings.Repeat("0", 64) + `"`,
		"MUSTER1": `report: no report came; the last line of output was "MUSTER1"`,
	} {
		f, err := ReadHeader(bufio.NewReader(strings.NewReader(input)))
		var none *NoReportError
		if f != nil || !errors.Is(err, ErrNoReport) || !errors.As(err, &none) || err.Error() != want {
			t.Errorf("%q: got the error %v, want %s", input, err, want)
			continue
		}
		if strings.TrimSpace(string(none.Noise)) != strings.TrimSpace(input) || none.More {
			t.Errorf("%q: the noise is %q", input, none.Noise)
		}
	}
}

// What came before a connection was lost is worth reading, too.
func TestNoReportBeforeTheReaderFails(t *testing.T) {
	lost := errors.New("lost")
	_, err := ReadHeader(bufio.NewReader(io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(lost))))
	var none *NoReportError
	if !errors.As(err, &none) || !errors.Is(err, lost) || !errors.Is(err, ErrNoReport) || err.Error() != "report: no report came: lost" {
		t.Fatalf("got the error %v", err)
	}
	if string(none.Noise) != "one\ntw" || none.More {
		t.Errorf("the noise is %q", none.Noise)
	}
}

func TestNoiseIsBounded(t *testing.T) {
	for _, text := range []string{"x", "a banner that never ends\n", "\n"} {
		input := &counter{Reader: forever(text)}
		_, err := ReadHeader(bufio.NewReader(input))
		var none *NoReportError
		if !errors.As(err, &none) || !none.More || len(none.Noise) > maxKept {
			t.Errorf("got the error %v", err)
		}
		if input.n > MaxNoise+8192 {
			t.Errorf("%d bytes were read", input.n)
		}
	}
	sealed := sealedReport(10)
	for _, noise := range []string{strings.Repeat("x\n", MaxNoise/2), strings.Repeat("x", MaxNoise-1) + "\n"} {
		if _, _, err := readFrame(strings.NewReader(noise + strings.TrimPrefix(frame(t, sealed), "\n"))); err != nil {
			t.Errorf("a banner of just the bound: %v", err)
		}
		if _, _, err := readFrame(strings.NewReader(noise + "xx" + frame(t, sealed))); !errors.Is(err, ErrNoReport) {
			t.Errorf("got the error %v after a banner beyond the bound", err)
		}
	}
}

func TestDamagedFrames(t *testing.T) {
	sealed := sealedReport(100)
	good := strings.TrimPrefix(frame(t, sealed), "\n")
	header, body, _ := strings.Cut(good, "\n")
	with := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	other := base64.StdEncoding.EncodeToString(sealedReport(101)[1:])
	for name, test := range map[string]struct {
		input string
		want  error
	}{
		"cut in the header":    {header[:30], ErrCut},
		"cut after the header": {header, ErrCut},
		"no body":              {header + "\n", ErrCut},
		"cut in the body":      {good[:len(good)-2], ErrCut},
		"cut by a byte":        {with("MUSTER1 100", "MUSTER1 103"), ErrCut},
		"size 0":               {with("MUSTER1 100", "MUSTER1 0"), ErrAltered},
		"leading zero":         {with("MUSTER1 100", "MUSTER1 0100"), ErrAltered},
		"sign":                 {with("MUSTER1 100", "MUSTER1 +100"), ErrAltered},
		"no number":            {with("MUSTER1 100", "MUSTER1 1x0"), ErrAltered},
		"no size":              {with("MUSTER1 100", "MUSTER1 "), ErrAltered},
		"shorter":              {with("MUSTER1 100", "MUSTER1 99"), ErrAltered},
		"too large":            {with("MUSTER1 100", fmt.Sprintf("MUSTER1 %d", MaxFrame+1)), ErrTooLarge},
		"much too large":       {with("MUSTER1 100", "MUSTER1 99999999999999999999999999"), ErrTooLarge},
		"upper case":           {strings.ToUpper(header) + "\n" + body, ErrAltered},
		"no sum":               {"MUSTER1 100\n" + body, ErrAltered},
		"short sum":            {header[:len(header)-1] + "\n" + body, ErrAltered},
		"long sum":             {header + "0\n" + body, ErrAltered},
		"not hexadecimal":      {header[:len(header)-1] + "g\n" + body, ErrAltered},
		"other word":           {header + " fine\n" + body, ErrAltered},
		"two spaces":           {with("MUSTER1 100 ", "MUSTER1 100  "), ErrAltered},
		"other sum":            {header[:len(header)-1] + flip(header[len(header)-1:]) + "\n" + body, ErrAltered},
		"other body":           {header + "\n" + other + "\n", ErrAltered},
		"not base64":           {header + "\n!" + body[1:], ErrAltered},
		"line ends inside":     {header + "\n" + body[:60] + "\n" + body[60:], ErrAltered},
		"padding":              {header + "\n" + strings.TrimSuffix(body, "==\n") + "AA\n", ErrAltered},
		"loose padding":        {header + "\n" + body[:133] + string(body[133]+1) + "==\n", ErrAltered},
	} {
		_, got, err := readFrame(strings.NewReader(test.input))
		if !errors.Is(err, test.want) || got != nil {
			t.Errorf("%s: got %d bytes and the error %v, want %v", name, len(got), err, test.want)
		}
	}
}

func flip(digit string) string {
	if digit == "0" {
		return "1"
	}
	return "0"
}

// What a header announces costs nothing until it comes.
func TestFrameTakesMemoryAsBytesCome(t *testing.T) {
	header := fmt.Sprintf("MUSTER1 %d %064d\n", MaxFrame, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := readFrame(strings.NewReader(header + "AAAA"))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrCut) {
		t.Fatalf("got the error %v", err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 256<<10 {
		t.Errorf("%d bytes were allocated for four that came", allocated)
	}
}

func TestFrameReturnsTheReadersError(t *testing.T) {
	broken := errors.New("connection lost")
	text := frame(t, sealedReport(100))
	for _, cut := range []int{0, 1, 20, 100, len(text) - 2} {
		_, _, err := readFrame(io.MultiReader(strings.NewReader(text[:cut]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || errors.Is(err, ErrCut) {
			t.Errorf("after %d bytes: got the error %v", cut, err)
		}
	}
}

func TestCheck(t *testing.T) {
	sealed := sealedReport(100)
	f := Frame{Size: len(sealed), SHA256: sha256.Sum256(sealed), File: true}
	if err := f.Check(sealed); err != nil {
		t.Error(err)
	}
	if err := f.Check(sealed[:99]); !errors.Is(err, ErrCut) {
		t.Errorf("shorter: %v", err)
	}
	err := f.Check(append(sealed[:100:100], 0))
	if !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "101 bytes instead of 100") {
		t.Errorf("longer: %v", err)
	}
	if err := f.Check(sealedReport(101)[1:]); !errors.Is(err, ErrAltered) {
		t.Errorf("another: %v", err)
	}
	if _, err := f.ReadBody(bufio.NewReader(strings.NewReader(""))); err == nil || errors.Is(err, ErrCut) {
		t.Errorf("a body was read where there is a file: %v", err)
	}
}

func TestWriteFrameRefuses(t *testing.T) {
	for _, write := range []func(io.Writer, []byte) error{WriteFrame, WriteFileFrame} {
		var b bytes.Buffer
		if err := write(&b, nil); err == nil || b.Len() > 0 {
			t.Errorf("nothing was framed: %q, %v", b.String(), err)
		}
		if err := write(&b, make([]byte, MaxFrame+1)); !errors.Is(err, ErrTooLarge) || b.Len() > 0 {
			t.Errorf("too much was framed: %v", err)
		}
		broken := errors.New("broken")
		r, w := io.Pipe()
		r.CloseWithError(broken)
		if err := write(w, []byte("x")); !errors.Is(err, broken) {
			t.Errorf("got the error %v", err)
		}
	}
}

func BenchmarkReadFrame(b *testing.B) {
	text := frame(b, sealedReport(3000))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := readFrame(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
