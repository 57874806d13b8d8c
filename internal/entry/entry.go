// Package entry is what goes through the durable queue, and how it is written there: visits with what they brought home,
// log records, and the beginnings and ends of sweeps.
//
// A queue may be read by a newer program than the one that wrote it. So every entry begins with the version of its form;
// fields may be added to the JSON part of one at any time, and everything else is a new version, which reads the old ones.
// What can't be read is an error that wraps ErrUnreadable, never a panic, and sizes are checked before they are believed:
// the entry may have been damaged. All functions are pure.
package entry

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"muster/internal/report"
	"muster/internal/store"
)

// The kinds of entries.
const (
	KindVisit = "visit"
	KindSweep = "sweep"
	KindLogs  = "logs"

	// Those that could not be stored, and are to be stored alone when they are put back: limits were held against them.
	KindStoreVisit = "visit to store"
	KindStoreSweep = "sweep to store"
	KindStoreLogs  = "logs to store"
)

// ToStore returns the kind of an entry that is to be stored and nothing else.
func ToStore(kind string) string {
	switch kind {
	case KindVisit:
		return KindStoreVisit
	case KindSweep:
		return KindStoreSweep
	case KindLogs:
		return KindStoreLogs
	}
	return kind
}

// ErrUnreadable is in the chain of every error of a text that is no entry.
var ErrUnreadable = errors.New("the entry can't be read")

// version is the first byte of every entry.
const version = 1

// Visit is a visit as the store takes it.
type Visit = store.Visit

// Logs is what one part of a visit brought of a host's logs, as the store takes it.
type Logs = store.Logs

// Sweep is the beginning or, where Ended is not zero, the end of a sweep.
type Sweep struct {
	Time       time.Time   `json:"time"` // its scheduled time, which names it
	Started    time.Time   `json:"started"`
	Ended      time.Time   `json:"ended,omitzero"`
	Hosts      int         `json:"hosts"`
	Visited    int         `json:"visited"` // of which
	Failed     int         `json:"failed"`
	Conditions []Condition `json:"conditions,omitempty"` // how the server itself was, at the end
}

// Condition is how one thing about the server itself is, in the form of a statistic.
type Condition struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Text  string  `json:"text,omitempty"` // why, for a person
}

// EncodeVisit writes a visit. The form is
//
//	1 · length of the rest of the visit (uvarint) · the rest, in JSON · statistics
//
// where the statistics are, for each, name, instance, unit and kind, each as its length (uvarint) and its bytes, and the
// value as the eight bytes of an IEEE 754 double, little-endian.
func EncodeVisit(v *Visit) ([]byte, error) {
	rest := *v
	var statistics []report.Statistic
	if v.Report != nil {
		without := *v.Report
		statistics, without.Statistics = without.Statistics, nil
		rest.Report = &without
	}
	text, err := json.Marshal(&rest)
	if err != nil {
		return nil, fmt.Errorf("write the entry of visit %s: %w", v.ID, err)
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen64+len(text)+40*len(statistics))
	b = binary.AppendUvarint(append(b, version), uint64(len(text)))
	b = append(b, text...)
	for i := range statistics {
		s := &statistics[i]
		for _, text := range []string{s.Name, s.Instance, s.Unit, string(s.Kind)} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Value))
	}
	return b, nil
}

// DecodeVisit is the reverse of EncodeVisit. The result shares nothing with data.
func DecodeVisit(data []byte) (*Visit, error) {
	r, err := open(data)
	if err != nil {
		return nil, err
	}
	v := new(Visit)
	if err := json.Unmarshal(r.text(), v); err != nil || r.cut {
		return nil, fmt.Errorf("%w: a visit's: %w", ErrUnreadable, errors.Join(err, r.err()))
	}
	switch {
	case v.ID == "" || v.Host == "":
		return nil, fmt.Errorf("%w: a visit without id or host", ErrUnreadable)
	case v.Report == nil && len(r.left) > 0:
		return nil, fmt.Errorf("%w: statistics without a report", ErrUnreadable)
	}
	for len(r.left) > 0 {
		v.Report.Statistics = append(v.Report.Statistics, report.Statistic{
			Name: string(r.text()), Instance: string(r.text()), Unit: string(r.text()), Kind: report.Kind(r.text()),
			Value: r.number(),
		})
		if r.cut {
			return nil, fmt.Errorf("%w: a visit's: %w", ErrUnreadable, r.err())
		}
	}
	return v, nil
}

// EncodeSweep writes the beginning or the end of a sweep: 1, and JSON.
func EncodeSweep(s *Sweep) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the entry of sweep %v: %w", s.Time, err)
	}
	return append([]byte{version}, text...), nil
}

// DecodeSweep is the reverse of EncodeSweep.
func DecodeSweep(data []byte) (*Sweep, error) {
	r, err := open(data)
	if err != nil {
		return nil, err
	}
	s := new(Sweep)
	if err := json.Unmarshal(r.left, s); err != nil {
		return nil, fmt.Errorf("%w: a sweep's: %w", ErrUnreadable, err)
	}
	if s.Time.IsZero() {
		return nil, fmt.Errorf("%w: a sweep without a time", ErrUnreadable)
	}
	return s, nil
}

// open checks the version of an entry.
func open(data []byte) (*reader, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrUnreadable)
	}
	if data[0] != version {
		return nil, fmt.Errorf("%w: its version is %d, and this program knows %d: it may be a newer program's", ErrUnreadable, data[0], version)
	}
	return &reader{left: data[1:]}, nil
}

// reader reads the parts of an entry. After the first part that is cut all are empty.
type reader struct {
	left []byte
	cut  bool
}

func (r *reader) err() error {
	if r.cut {
		return errors.New("it is cut")
	}
	return nil
}

func (r *reader) text() []byte {
	length, n := binary.Uvarint(r.left)
	if n <= 0 || length > uint64(len(r.left)-n) {
		r.left, r.cut = nil, true
		return nil
	}
	text := r.left[n : n+int(length)]
	r.left = r.left[n+int(length):]
	return text
}

func (r *reader) number() float64 {
	if len(r.left) < 8 {
		r.left, r.cut = nil, true
		return 0
	}
	value := math.Float64frombits(binary.LittleEndian.Uint64(r.left))
	r.left = r.left[8:]
	return value
}
