package store

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// seriesID names a series. id is stored: the first 64 bits of a SHA-256 of what identifies the series, so that a row can be
// written without asking the database for a number, and all servers agree. check, the next 64 bits, is not stored.
//
// Two of n series share an id with a probability of n²/2⁶⁵: 1 to a million for 6 million series. An instance's name comes
// from a host, which may try for a collision; that takes some 2⁶⁴/n hashes and gains it nothing: who comes second is
// found out, by check or by what the database holds, and is not stored rather than mixed with the other.
type seriesID struct {
	id    int64
	check uint64
}

// identify returns the id of a series, using scratch as working space and returning it, grown.
func identify(r *seriesRow, scratch []byte) (seriesID, []byte) {
	b := scratch[:0]
	for _, part := range [...]string{r.Host, r.Name, r.Instance, r.Unit} {
		// With the lengths, "a","bc" and "ab","c" are different.
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return seriesID{
		id:    int64(binary.BigEndian.Uint64(sum[:8])),
		check: binary.BigEndian.Uint64(sum[8:16]),
	}, b
}

// same says that both are the same series.
func same(a, b *seriesRow) bool {
	return a.Host == b.Host && a.Name == b.Name && a.Instance == b.Instance && a.Unit == b.Unit
}

// knownMax bounds the memory for known series: two generations of at most this many, about 40 bytes each.
const knownMax = 1 << 20

// knownSeries remembers which series the database holds, so that they need not be looked up with every visit. It has two
// generations: what is used moves to the young one, and when that is full the old one is forgotten. Safe for concurrent
// use.
type knownSeries struct {
	mu         sync.Mutex
	limit      int
	young, old map[int64]uint64 // id → check
}

func newKnownSeries(limit int) *knownSeries {
	return &knownSeries{limit: limit, young: make(map[int64]uint64)}
}

// has says whether the series is known.
func (k *knownSeries) has(s seriesID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if check, ok := k.young[s.id]; ok {
		return check == s.check
	}
	check, ok := k.old[s.id]
	if !ok || check != s.check {
		return false
	}
	k.put(s)
	return true
}

// add remembers series that the database holds for certain.
func (k *knownSeries) add(series []seriesID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range series {
		k.put(s)
	}
}

func (k *knownSeries) put(s seriesID) {
	if len(k.young) >= k.limit {
		k.old, k.young = k.young, make(map[int64]uint64)
	}
	k.young[s.id] = s.check
}
