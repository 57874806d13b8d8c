package seal

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
)

// What a host sealed with the right key can still be hostile.
func TestHostileTexts(t *testing.T) {
	text := bytes.Repeat([]byte("<statistic/>"), 100)
	compressed, err := deflate(text)
	if err != nil {
		t.Fatal(err)
	}
	length := uint32(len(text))
	// The text, all of it, and then a block of the type that DEFLATE does not have.
	var damaged bytes.Buffer
	w, err := flate.NewWriter(&damaged, flate.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	damaged.WriteByte(0x07)
	for name, test := range map[string]struct {
		length uint32
		inside []byte
		want   string
	}{
		"expands to less":   {length + 1, compressed, "unexpected EOF"},
		"expands to more":   {length - 1, compressed, fmt.Sprintf("more than %d bytes", length-1)},
		"followed":          {length, append(bytes.Clone(compressed), 0), "1 bytes follow"},
		"followed by more":  {length, append(bytes.Clone(compressed), compressed...), "bytes follow"},
		"cut":               {length, compressed[:len(compressed)-1], "EOF"},
		"not compressed":    {length, []byte("\xff\xff\xff"), "corrupt"},
		"nothing":           {length, nil, "EOF"},
		"damaged after":     {length, damaged.Bytes(), "corrupt"},
		"no text, but some": {0, nil, "do not hold"},
	} {
		got, err := Open(key(), nonce(), web1(0), envelope(web1(0), 1, test.length, test.inside), limit)
		if !errors.Is(err, ErrFormat) || got != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %d bytes and the error %v, want %q in it", name, len(got), err, test.want)
		}
	}
}

func TestLimit(t *testing.T) {
	for _, text := range [][]byte{noise(1000), make([]byte, 1000)} {
		sealed := mustSeal(t, web1(0), text)
		if _, err := Open(key(), nonce(), web1(0), sealed, 1000); err != nil {
			t.Errorf("a text of just the limit: %v", err)
		}
		for _, limit := range []int{999, 1, 0, -1} {
			if got, err := Open(key(), nonce(), web1(0), sealed, limit); !errors.Is(err, ErrTooLarge) || got != nil {
				t.Errorf("limit %d: got %d bytes and the error %v", limit, len(got), err)
			}
		}
	}
}

// A compression bomb costs no more than the limit, whether it lies about its length or not.
func TestBombsCostNoMoreThanTheLimit(t *testing.T) {
	const bombLimit = 64 << 10
	bomb, err := deflate(make([]byte, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	for length, want := range map[uint32]error{64 << 20: ErrTooLarge, 1<<32 - 1: ErrTooLarge, bombLimit: ErrFormat} {
		inside := bomb
		if length == bombLimit {
			inside = bomb[:bombLimit-1] // not longer than the text, as a compressed text has to be
		}
		sealed := envelope(web1(0), 1, length, inside)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Open(key(), nonce(), web1(0), sealed, bombLimit)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: got the error %v, want %v", length, err, want)
		}
		// The decrypted text, the expanded one, and what the decompressor needs.
		if cost := after.TotalAlloc - before.TotalAlloc; cost > uint64(len(sealed))+bombLimit+256<<10 {
			t.Errorf("%d bytes: %d bytes were allocated", length, cost)
		}
	}
}

func TestDeflateOnlyWhatGetsShorter(t *testing.T) {
	for _, text := range [][]byte{nil, []byte("a"), []byte("<report/>"), noise(5000)} {
		if got, err := deflate(text); got != nil || err != nil {
			t.Errorf("%d bytes became %d, %v", len(text), len(got), err)
		}
	}
	text := report()
	got, err := deflate(text)
	if err != nil || len(got) == 0 || len(got) >= len(text) {
		t.Errorf("%d bytes became %d, %v", len(text), len(got), err)
	}
}
