package journal

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"muster/internal/report"
)

// position is how far each stream was read, as a cursor's position says it:
//
//	1 CURRENT WATERMARK STREAM:PLACE STREAM:PLACE …
//
// with the streams' keys, the stream of the cursor's epoch first named as CURRENT ("-": none), and WATERMARK, up to which
// streams that are not named were read. A PLACE is SEQUENCE,TIME,EPOCH and then ",s" or ",c" or ","; where gaps beyond SEQUENCE
// were told, "," and TOLD. Numbers are to the base 36.
type position struct {
	current   string
	watermark int64 // in µs since 1970
	places    map[string]place
}

// place is how far one stream was read.
type place struct {
	sequence uint64 // of the last entry; 0: none
	time     int64  // when journald got that, in µs since 1970; or whence to begin
	epoch    int64  // under which it was read last; 0: it was not
	seek     bool   // it is to be read from its time on: nothing was read of it yet
	closed   bool   // nobody wrote to it any more
	told     uint64 // up to which number it was told what is missing; 0: up to the last entry
}

// identity is that of an epoch: the stream and the number that were read, and since when the first reading did. The number is
// made of the rest; what is left to say is where to begin if the answer was not kept.
type identity struct {
	stream string
	epoch  int64
	from   int64 // in µs since 1970
}

func (i identity) String() string {
	return i.stream + ":" + strconv.FormatInt(i.epoch, 36) + ":" + strconv.FormatInt(i.from, 36)
}

func parseIdentity(text string) (identity, bool) {
	words := strings.Split(text, ":")
	if len(words) != 3 {
		return identity{}, false
	}
	epoch, err1 := parseNumber(words[1])
	from, err2 := parseNumber(words[2])
	return identity{words[0], epoch, from}, err1 == nil && err2 == nil
}

// key returns a stream's name in a position: the first 64 of its 128 random bits.
func key(stream string) string {
	b, err := hex.DecodeString(stream)
	if err != nil || len(b) < 8 {
		return stream
	}
	return base64.RawURLEncoding.EncodeToString(b[:8])
}

var errPosition = errors.New("the position is not one of this client's: it was made by a newer one, or damaged")

const none = "-"

func parsePosition(text string) (position, error) {
	p := position{places: make(map[string]place)}
	if text == "" {
		return p, nil
	}
	words := strings.Split(text, " ")
	if len(words) < 3 || words[0] != "1" {
		return p, errPosition
	}
	if words[1] != none {
		p.current = words[1]
	}
	var err error
	if p.watermark, err = parseNumber(words[2]); err != nil {
		return p, errPosition
	}
	for _, word := range words[3:] {
		name, text, ok := strings.Cut(word, ":")
		at, err := parsePlace(text)
		if !ok || err != nil {
			return p, errPosition
		}
		p.places[name] = at
	}
	return p, nil
}

func parsePlace(text string) (place, error) {
	var p place
	parts := strings.Split(text, ",")
	if len(parts) != 4 && len(parts) != 5 {
		return p, errPosition
	}
	p.seek, p.closed = parts[3] == "s", parts[3] == "c"
	var numbers [4]int64
	for i, part := range slices.Delete(parts, 3, 4) {
		n, err := parseNumber(part)
		if err != nil {
			return p, err
		}
		numbers[i] = n
	}
	p.sequence, p.time, p.epoch, p.told = uint64(numbers[0]), numbers[1], numbers[2], uint64(numbers[3])
	return p, nil
}

func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 36, 64)
	if err == nil && n < 0 {
		err = fmt.Errorf("%q is below 0", text)
	}
	return n, err
}

func (p place) String() string {
	state := ""
	switch {
	case p.seek:
		state = "s"
	case p.closed:
		state = "c"
	}
	text := strconv.FormatUint(p.sequence, 36) + "," + strconv.FormatInt(p.time, 36) + "," +
		strconv.FormatInt(p.epoch, 36) + "," + state
	if p.told > 0 {
		text += "," + strconv.FormatUint(p.told, 36)
	}
	return text
}

// String returns the position as parsePosition reads it, in at most report.MaxPosition bytes. Where that is too little for
// all streams, those that ended first are left out, of which no more is to come, and the watermark covers them.
func (p *position) String() string {
	names := make([]string, 0, len(p.places))
	for name := range p.places {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { // who is kept first
		return cmp.Or(
			boolCompare(b == p.current, a == p.current),
			boolCompare(p.places[a].closed, p.places[b].closed),
			cmp.Compare(p.places[b].time, p.places[a].time),
			cmp.Compare(a, b))
	})
	for {
		text := p.render(names)
		if len(text) <= report.MaxPosition || len(names) == 0 {
			return text
		}
		last := names[len(names)-1]
		p.watermark = max(p.watermark, p.places[last].time)
		delete(p.places, last)
		names = names[:len(names)-1]
	}
}

func (p *position) render(names []string) string {
	var b strings.Builder
	b.WriteString("1 " + cmp.Or(p.current, none) + " " + strconv.FormatInt(p.watermark, 36))
	for _, name := range names {
		b.WriteString(" " + name + ":" + p.places[name].String())
	}
	return b.String()
}

// boolCompare orders false before true.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
