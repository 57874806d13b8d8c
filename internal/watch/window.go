package watch

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

const (
	mostPoints = 256       // of a window: what it takes where the state is kept is bounded by this
	cells      = 120       // of the time of a limit, to which times are rounded where there are more
	leastReach = time.Hour // what is further from the newest than this, and than twice the limit's time, is forgotten
)

// window is the times of records that a limit counts, as far as they may still matter. Records count by the times that
// they say they were written at, in whatever order these come. Up to 256 different times are exact, to the millisecond;
// where there are more they are rounded down to a 120th of the limit's time. The zero value has none.
type window struct {
	points []point // in the order of their times
	visit  string  // the visit that exceeded the limit last
}

// point is how many records there are of one time.
type point struct {
	ms    int64 // Unix milliseconds
	n     int
	fresh bool // some of them were added by the call under way
}

// burst is the most records that there are within a limit's time.
type burst struct {
	n           int
	first, last time.Time
}

// add takes times, in the order in which they came, and returns the largest burst that any of them is part of.
func (w *window) add(times []time.Time, within time.Duration) burst {
	if len(times) == 0 {
		return burst{}
	}
	points := w.points
	for _, t := range times {
		points = append(points, point{t.UnixMilli(), 1, true})
	}
	w.points = merged(points)
	most := w.largest(within.Milliseconds())
	w.forget(times[len(times)-1].UnixMilli(), within)
	for i := range w.points {
		w.points[i].fresh = false
	}
	return most
}

// merged sorts points and joins those of the same time.
func merged(points []point) []point {
	slices.SortStableFunc(points, func(a, b point) int { return int(max(-1, min(1, a.ms-b.ms))) })
	joined := points[:0]
	for _, p := range points {
		if last := len(joined) - 1; last >= 0 && joined[last].ms == p.ms {
			joined[last].n += p.n
			joined[last].fresh = joined[last].fresh || p.fresh
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

// largest returns the largest burst with a fresh point in it; of two as large the later one.
func (w *window) largest(within int64) burst {
	var most burst
	first, n, fresh := 0, 0, 0
	for _, p := range w.points {
		n += p.n
		fresh += isFresh(p)
		for ; p.ms-w.points[first].ms > within; first++ {
			n -= w.points[first].n
			fresh -= isFresh(w.points[first])
		}
		if fresh > 0 && n >= most.n {
			most = burst{n, time.UnixMilli(w.points[first].ms).UTC(), time.UnixMilli(p.ms).UTC()}
		}
	}
	return most
}

func isFresh(p point) int {
	if p.fresh {
		return 1
	}
	return 0
}

// forget drops what is too far from the newest to matter, and makes what is left small enough.
func (w *window) forget(newest int64, within time.Duration) {
	reach := max(leastReach, 2*within).Milliseconds()
	far := func(reach int64) func(point) bool {
		return func(p point) bool { return p.ms < newest-reach || p.ms > newest+reach }
	}
	w.points = slices.DeleteFunc(w.points, far(reach))
	if len(w.points) <= mostPoints {
		return
	}
	w.points = slices.DeleteFunc(w.points, far(within.Milliseconds()))
	if len(w.points) <= mostPoints {
		return
	}
	cell := max(1, within.Milliseconds()/cells)
	for i, p := range w.points {
		// Rounded down also before 1970.
		w.points[i].ms = p.ms - ((p.ms%cell)+cell)%cell
	}
	w.points = merged(w.points)
}

// count returns how many records there are in the time before now. Those a little after it are counted too: the host's
// clock was asked before its logs were read.
func (w *window) count(now time.Time, within time.Duration) int {
	n := 0
	for _, p := range w.points {
		if since := now.UnixMilli() - p.ms; since < within.Milliseconds() && -since <= within.Milliseconds() {
			n += p.n
		}
	}
	return n
}

// windowRecord is a window as it is in the table. Points is base64 of, for each point, the milliseconds since the one
// before (varint; the first: since 1970) and the records of it (uvarint).
type windowRecord struct {
	Points string `json:"points,omitempty"`
	Visit  string `json:"visit,omitempty"`
}

// MarshalJSON writes the window.
func (w *window) MarshalJSON() ([]byte, error) {
	var b []byte
	before := int64(0)
	for _, p := range w.points {
		b = binary.AppendVarint(b, p.ms-before)
		b = binary.AppendUvarint(b, uint64(p.n))
		before = p.ms
	}
	return json.Marshal(windowRecord{base64.RawStdEncoding.EncodeToString(b), w.visit})
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (w *window) UnmarshalJSON(text []byte) error {
	var r windowRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	b, err := base64.RawStdEncoding.DecodeString(r.Points)
	if err != nil {
		return err
	}
	*w = window{visit: r.Visit}
	at := int64(0)
	for len(b) > 0 {
		step, n := binary.Varint(b)
		if n <= 0 {
			return errors.New("the points of a limit are cut")
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 || count == 0 || count > 1<<40 || step < 0 && len(w.points) > 0 {
			return errors.New("the points of a limit are damaged")
		}
		at += step
		w.points = append(w.points, point{ms: at, n: int(count)})
		b = b[n+m:]
	}
	return nil
}
