package queue

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func newTestPacker(t testing.TB) *packer {
	t.Helper()
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// groups are some that were packed.
func groups() [][]Entry {
	return [][]Entry{
		{{Kind: "visit", ID: "web1 0123", Data: []byte("a report")}},
		{{Kind: "", ID: "", Data: []byte{}}, {Kind: "sweep", ID: "2026-03-01T12:00:00Z", Data: bytes.Repeat([]byte{0, 1, 2}, 5000)}},
		{{Kind: "visit", ID: "wëb\n2", Data: []byte{0xff}}, {Kind: "visit", ID: "3", Data: []byte("x")}, {Kind: "k", ID: "i", Data: []byte("d")}},
	}
}

func TestGroupsComeBackAsTheyWere(t *testing.T) {
	p := newTestPacker(t)
	for i, want := range groups() {
		packed := p.pack(want, uint64(1000*i))
		upTo, _, err := packHeader(packed)
		if err != nil || upTo != uint64(1000*i) {
			t.Fatalf("%d, %v", upTo, err)
		}
		got, err := p.unpack(packed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestWhatIsNoGroupIsRefused(t *testing.T) {
	p := newTestPacker(t)
	good := p.pack(groups()[2], 300)
	for cut := range good {
		if got, err := p.unpack(good[:cut]); !errors.Is(err, errPack) && len(got) > 0 {
			t.Fatalf("%d of %d bytes are %d entries: %v", cut, len(good), len(got), err)
		}
	}
	header := []byte("MQ1\x05")
	for name, packed := range map[string][]byte{
		"empty":          nil,
		"another form":   append([]byte("MQ2\x05"), good[4:]...),
		"no number":      []byte("MQ1"),
		"not compressed": append(bytes.Clone(header), "plain"...),
		"a long text":    p.encoder.EncodeAll([]byte{200, 1, 'x'}, bytes.Clone(header)),
		"an endless one": p.encoder.EncodeAll([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, bytes.Clone(header)),
		"half an entry":  p.encoder.EncodeAll([]byte{1, 'k', 1, 'i'}, bytes.Clone(header)),
		"a bomb":         p.encoder.EncodeAll(make([]byte, unpackedMost+1), bytes.Clone(header)),
	} {
		if _, err := p.unpack(packed); !errors.Is(err, errPack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What Put takes at most can be unpacked again.
func TestTheLargestGroupComesBack(t *testing.T) {
	p := newTestPacker(t)
	e := Entry{Kind: "visit", ID: "large"}
	e.Data = make([]byte, unpackedMost-e.size())
	got, err := p.unpack(p.pack([]Entry{e}, 1))
	if err != nil || len(got) != 1 || len(got[0].Data) != len(e.Data) {
		t.Fatalf("%d entries, %v", len(got), err)
	}
}

func FuzzUnpack(f *testing.F) {
	p := newTestPacker(f)
	for i, g := range groups() {
		f.Add(p.pack(g, uint64(i)))
	}
	f.Add([]byte("MQ1\x05"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		entries, err := p.unpack(packed)
		if err != nil {
			if !errors.Is(err, errPack) || entries != nil {
				t.Fatal(entries, err)
			}
			return
		}
		upTo, _, err := packHeader(packed)
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.unpack(p.pack(entries, upTo))
		if err != nil || !reflect.DeepEqual(again, entries) {
			t.Fatalf("%+v, %v; was %+v", again, err, entries)
		}
	})
}

func FuzzPack(f *testing.F) {
	p := newTestPacker(f)
	for _, g := range groups() {
		f.Add(g[0].Kind, g[0].ID, g[0].Data, uint64(7))
	}
	f.Fuzz(func(t *testing.T, kind, id string, data []byte, upTo uint64) {
		want := []Entry{{Kind: kind, ID: id, Data: data}, {Kind: id, ID: kind, Data: []byte("x")}}
		got, err := p.unpack(p.pack(want, upTo))
		if err != nil || len(got) != 2 || got[0].Kind != kind || got[0].ID != id || !bytes.Equal(got[0].Data, data) || got[1].Kind != id {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	})
}
