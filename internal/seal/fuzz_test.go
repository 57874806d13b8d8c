package seal

import (
	"bytes"
	"testing"
)

// Nothing opens but what was sealed under the key: whoever has no key makes nothing that opens.
func FuzzOpen(f *testing.F) {
	text := []byte("<report/>")
	long := bytes.Repeat(text, 50)
	sealed, sealedLong := mustSeal(f, web1(0), text), mustSeal(f, web1(0), long)
	for _, seed := range [][]byte{sealed, sealedLong, sealed[:Overhead], mustSeal(f, web1(1), text), []byte("MSTR\x01\x01\x00\x00\x00\x09")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		got, err := Open(key(), nonce(), web1(0), input, limit)
		switch {
		case err != nil && got != nil:
			t.Error("a text beside an error")
		case err == nil && !bytes.Equal(input, sealed) && !bytes.Equal(input, sealedLong):
			t.Errorf("%x opens as %q", input, got)
		}
	})
}

// What a host with the key puts inside an envelope costs the server no more than the limit, and has one form.
func FuzzInside(f *testing.F) {
	text := bytes.Repeat([]byte("<report/>"), 50)
	compressed, err := deflate(text)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(1), uint32(len(text)), compressed)
	f.Add(byte(0), uint32(len(text)), text)
	f.Add(byte(1), uint32(1<<31), compressed)
	f.Add(byte(3), uint32(9), []byte("x"))
	f.Add(byte(1), uint32(100), []byte("\x03\x00"))
	const limit = 4096
	f.Fuzz(func(t *testing.T, flags byte, length uint32, inside []byte) {
		got, err := Open(key(), nonce(), web1(0), envelope(web1(0), flags, length, inside), limit)
		if err != nil {
			if got != nil {
				t.Error("a text beside an error")
			}
			return
		}
		if len(got) != int(length) || len(got) > limit || len(inside) > len(got) || flags > 1 {
			t.Errorf("flags %d: %d bytes that should be %d came of %d", flags, len(got), length, len(inside))
		}
		if flags == 0 && !bytes.Equal(got, inside) {
			t.Error("a text that was stored is another")
		}
	})
}

// Whatever is sealed opens as what it was, under its own binding and no other part.
func FuzzSeal(f *testing.F) {
	f.Add("web1", "01J9ZK3T5V8Q", uint32(0), []byte("<report/>"))
	f.Add("", "", uint32(1<<31), bytes.Repeat([]byte("<report/>"), 100))
	f.Fuzz(func(t *testing.T, host, visit string, part uint32, text []byte) {
		to := Binding{Host: host, Visit: visit, Part: part}
		sealed, err := Seal(key(), nonce(), to, text)
		if err != nil {
			if _, none := partNonce(nonce(), part); none == nil {
				t.Error(err)
			}
			return
		}
		got, err := Open(key(), nonce(), to, sealed, len(text))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(text), err)
		}
		to.Part ^= 1
		if _, err := Open(key(), nonce(), to, sealed, len(text)); err == nil {
			t.Error("it opens as another part")
		}
	})
}
