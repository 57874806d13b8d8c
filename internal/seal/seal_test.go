package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

const limit = 1 << 20

func key() (k [32]byte) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func nonce() (n [12]byte) {
	for i := range n {
		n[i] = 0xa0 + byte(i)
	}
	return n
}

func web1(part uint32) Binding {
	return Binding{Host: "web1", Visit: "01J9ZK3T5V8Q", Part: part}
}

// report is a text like those that travel: 120 statistics, about 10 kB.
func report() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("<report>\n")
	for i := range 120 {
		fmt.Fprintf(&b, "    <statistic name=\"network.packets.received\" instance=\"eth%d\" unit=\"B\" kind=\"counter\" value=\"%d\"/>\n",
			i%8, r.Int64N(1e12))
	}
	b.WriteString("</report>\n")
	return b.Bytes()
}

func noise(size int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func mustSeal(t testing.TB, to Binding, text []byte) []byte {
	t.Helper()
	sealed, err := Seal(key(), nonce(), to, text)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatWasSealedOpens(t *testing.T) {
	for _, text := range [][]byte{nil, {0}, []byte("<report/>"), report(), noise(10_000), make([]byte, limit)} {
		sealed := mustSeal(t, web1(3), text)
		if len(sealed) > len(text)+Overhead {
			t.Errorf("%d bytes became %d", len(text), len(sealed))
		}
		got, err := Open(key(), nonce(), web1(3), sealed, limit)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes: got %d, %v", len(text), len(got), err)
		}
	}
	if sealed := mustSeal(t, web1(0), report()); len(sealed) > len(report())/3 {
		t.Errorf("a report of %d bytes is sealed in %d", len(report()), len(sealed))
	}
}

// The vectors were computed by another implementation of AES, GCM and DEFLATE, from the format's description.
func TestVectors(t *testing.T) {
	for name, test := range map[string]struct {
		binding Binding
		text    string
		sealed  string
		made    bool // Seal must give these bytes: they do not depend on the compressor
	}{
		"stored": {
			web1(0), "<report/>",
			"4d535452010000000009" + "da6a195d2ab976905c" + "7cbed7fe06496d72b1117946389a1805", true,
		},
		"part": {
			web1(7), "<report/>",
			"4d535452010000000009" + "3577aca02e24e0a8b5" + "39e5b7b213851fa0cbe5b6b5787f436e", true,
		},
		"compressed": {
			Binding{"Zürich", "v", 1}, strings.Repeat("<statistic/>", 20),
			"4d5354520101000000f0" + "68e56553073d30167d81cb33f3de0ce0b1" + "19c0354d8edfdc3acb464a8e6d77239e", false,
		},
	} {
		sealed, err := hex.DecodeString(test.sealed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Open(key(), nonce(), test.binding, sealed, limit)
		if err != nil || string(got) != test.text {
			t.Errorf("%s: opened it is %q, %v", name, got, err)
		}
		if made := mustSeal(t, test.binding, []byte(test.text)); test.made && !bytes.Equal(made, sealed) {
			t.Errorf("%s: sealed it is\n%x, want\n%x", name, made, sealed)
		}
	}
}

// envelope builds one by hand, from the description in the package comment.
func envelope(to Binding, flags byte, length uint32, inside []byte) []byte {
	head := append([]byte("MSTR\x01"), flags)
	head = binary.BigEndian.AppendUint32(head, length)
	aad := bytes.Clone(head)
	for _, text := range []string{to.Host, to.Visit} {
		aad = append(binary.BigEndian.AppendUint32(aad, uint32(len(text))), text...)
	}
	aad = binary.BigEndian.AppendUint32(aad, to.Part)
	n, k := nonce(), key()
	last := binary.BigEndian.Uint32(n[8:])
	binary.BigEndian.PutUint32(n[8:], last+to.Part)
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead.Seal(head, n[:], inside, aad)
}

func TestEnvelopeIsAsDescribed(t *testing.T) {
	if got, want := mustSeal(t, web1(2), []byte("short")), envelope(web1(2), 0, 5, []byte("short")); !bytes.Equal(got, want) {
		t.Errorf("got\n%x, want\n%x", got, want)
	}
	text := report()
	inside, err := deflate(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := mustSeal(t, web1(2), text), envelope(web1(2), 1, uint32(len(text)), inside); !bytes.Equal(got, want) {
		t.Error("a compressed text is not sealed as described")
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	for _, text := range []string{"<report/>", strings.Repeat("<statistic/>", 20)} {
		sealed := mustSeal(t, web1(0), []byte(text))
		for i := range sealed {
			for _, change := range []byte{0x01, 0x80, 0xff} {
				altered := bytes.Clone(sealed)
				altered[i] ^= change
				got, err := Open(key(), nonce(), web1(0), altered, limit)
				if err == nil || got != nil {
					t.Fatalf("byte %d changed by %#x opens as %q", i, change, got)
				}
				if i >= headerSize && !errors.Is(err, ErrAltered) {
					t.Errorf("byte %d: got the error %v", i, err)
				}
			}
		}
		for i := range sealed {
			if got, err := Open(key(), nonce(), web1(0), sealed[:i], limit); err == nil || got != nil {
				t.Fatalf("cut to %d bytes it opens as %q", i, got)
			}
		}
		if got, err := Open(key(), nonce(), web1(0), append(bytes.Clone(sealed), 0), limit); err == nil || got != nil {
			t.Errorf("with a byte more it opens as %q", got)
		}
	}
}

func TestSealedForAnother(t *testing.T) {
	sealed := mustSeal(t, web1(1), report())
	otherKey, otherNonce := key(), nonce()
	otherKey[31] ^= 1
	otherNonce[0] ^= 1
	before := nonce() // with this one, part 2 has the nonce that part 1 was sealed with
	before[11]--
	for name, open := range map[string]func() ([]byte, error){
		"host":          func() ([]byte, error) { return Open(key(), nonce(), Binding{"web2", web1(1).Visit, 1}, sealed, limit) },
		"visit":         func() ([]byte, error) { return Open(key(), nonce(), Binding{"web1", "01J9ZK3T5V8R", 1}, sealed, limit) },
		"part before":   func() ([]byte, error) { return Open(key(), nonce(), web1(0), sealed, limit) },
		"part after":    func() ([]byte, error) { return Open(key(), nonce(), web1(2), sealed, limit) },
		"key":           func() ([]byte, error) { return Open(otherKey, nonce(), web1(1), sealed, limit) },
		"nonce":         func() ([]byte, error) { return Open(key(), otherNonce, web1(1), sealed, limit) },
		"nonce of part": func() ([]byte, error) { return Open(key(), before, web1(2), sealed, limit) },
	} {
		if got, err := open(); !errors.Is(err, ErrAltered) || got != nil {
			t.Errorf("another %s: got %d bytes and the error %v", name, len(got), err)
		}
	}
	if _, err := Open(key(), nonce(), web1(1), sealed, limit); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// Host and visit can't be shifted into each other.
func TestBindingIsUnambiguous(t *testing.T) {
	sealed := mustSeal(t, Binding{Host: "ab", Visit: "c"}, report())
	for _, from := range []Binding{{Host: "a", Visit: "bc"}, {Host: "abc"}, {Visit: "abc"}, {Host: "c", Visit: "ab"}} {
		if _, err := Open(key(), nonce(), from, sealed, limit); !errors.Is(err, ErrAltered) {
			t.Errorf("%+v: got the error %v", from, err)
		}
	}
}

func TestWhatIsNoEnvelope(t *testing.T) {
	good := mustSeal(t, web1(0), []byte("<report/>"))
	with := func(at int, value byte) []byte {
		b := bytes.Clone(good)
		b[at] = value
		return b
	}
	for name, test := range map[string]struct {
		sealed []byte
		want   string
	}{
		"nothing":        {nil, "it has only 0 bytes"},
		"only a header":  {good[:Overhead-1], "it has only 25 bytes"},
		"magic":          {with(0, 'm'), "does not begin with MSTR"},
		"version":        {with(4, 2), "it is of version 2, this is version 1"},
		"flags":          {with(5, 2), "flags 0x2 are not known"},
		"length":         {with(9, 8), "9 bytes do not hold a text of 8"},
		"cut":            {good[:len(good)-1], "8 bytes do not hold a text of 9"},
		"no compression": {with(5, 1), "9 bytes do not hold a text of 9"},
	} {
		got, err := Open(key(), nonce(), web1(0), test.sealed, limit)
		if !errors.Is(err, ErrFormat) || got != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got the error %v, want %q in it", name, err, test.want)
		}
	}
}

func TestParts(t *testing.T) {
	last := nonce()
	copy(last[8:], []byte{0xff, 0xff, 0xff, 0xfd})
	for part, ok := range map[uint32]bool{0: true, 2: true, 3: false, math.MaxUint32: false} {
		sealed, err := Seal(key(), last, web1(part), []byte("x"))
		if ok != (err == nil) || !ok && (!errors.Is(err, ErrNonce) || sealed != nil) {
			t.Errorf("part %d: %v", part, err)
		}
		_, err = Open(key(), last, web1(part), mustSeal(t, web1(0), []byte("x")), limit)
		if errors.Is(err, ErrNonce) == ok {
			t.Errorf("open part %d: %v", part, err)
		}
	}
	var zero [12]byte
	if got, err := partNonce(zero, math.MaxUint32); err != nil || got != [12]byte{8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff} {
		t.Errorf("the last part of all has the nonce %x, %v", got, err)
	}
	// Every part of a visit is encrypted otherwise.
	seen := map[string]uint32{}
	for part := range uint32(300) {
		sealed := string(mustSeal(t, web1(part), []byte("0123456789abcdef"))[headerSize : headerSize+16])
		if other, ok := seen[sealed]; ok {
			t.Fatalf("parts %d and %d are encrypted alike", part, other)
		}
		seen[sealed] = part
	}
}

func TestSealKeepsTheText(t *testing.T) {
	text, before := report(), report()
	sealed := mustSeal(t, web1(0), text)
	kept := bytes.Clone(sealed)
	if _, err := Open(key(), nonce(), web1(0), sealed, limit); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, before) || !bytes.Equal(sealed, kept) {
		t.Error("an argument was changed")
	}
}

func BenchmarkSeal(b *testing.B) {
	text := report()
	sealed := mustSeal(b, web1(0), text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	b.ReportMetric(float64(len(sealed)), "sealed-bytes")
	for b.Loop() {
		if _, err := Seal(key(), nonce(), web1(0), text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	text := report()
	sealed := mustSeal(b, web1(0), text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(key(), nonce(), web1(0), sealed, limit); err != nil {
			b.Fatal(err)
		}
	}
}
