package entry

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"muster/internal/report"
)

// EncodeLogs writes what a part of a visit brought of a host's logs. The form is
//
//	1 · length of the rest of the logs (uvarint) · the rest, in JSON · records
//
// where the records are those of each channel of the rest in turn: their number (uvarint), and for each
//
//	flags · id · seconds · event · process (varints) · nanoseconds (uvarint) · level · source · computer · user · keywords ·
//	message · raw · number of data (uvarint) · for each of them name · value
//
// with texts as their length (uvarint) and their bytes, and the time as seconds since 1970-01-01 UTC and nanoseconds beyond
// them. Of the flags 1 means altered, and the others are 0.
func EncodeLogs(l *Logs) ([]byte, error) {
	rest := *l
	rest.Channels = make([]report.Logs, len(l.Channels))
	size := 0
	for i := range l.Channels {
		rest.Channels[i] = l.Channels[i]
		rest.Channels[i].Records = nil
		for j := range l.Channels[i].Records {
			size += recordSize(&l.Channels[i].Records[j])
		}
	}
	text, err := json.Marshal(&rest)
	if err != nil {
		return nil, fmt.Errorf("write the entry of the logs of visit %s: %w", l.Visit, err)
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen64*(1+len(l.Channels))+len(text)+size)
	b = appendText(append(b, version), string(text))
	for i := range l.Channels {
		records := l.Channels[i].Records
		b = binary.AppendUvarint(b, uint64(len(records)))
		for j := range records {
			b = appendRecord(b, &records[j])
		}
	}
	return b, nil
}

// recordSize returns how many bytes a record takes, or some more.
func recordSize(r *report.Record) int {
	n := 64 + len(r.Level) + len(r.Source) + len(r.Computer) + len(r.User) + len(r.Keywords) + len(r.Message) + len(r.Raw)
	for i := range r.Data {
		n += 4 + len(r.Data[i].Name) + len(r.Data[i].Value)
	}
	return n
}

const flagAltered = 1

func appendRecord(b []byte, r *report.Record) []byte {
	flags := byte(0)
	if r.Altered {
		flags |= flagAltered
	}
	b = append(b, flags)
	for _, n := range [...]int64{r.ID, r.Time.Unix(), r.Event, r.Process} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(r.Time.Nanosecond()))
	for _, text := range [...]string{string(r.Level), r.Source, r.Computer, r.User, r.Keywords, r.Message, r.Raw} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Data)))
	for i := range r.Data {
		b = appendText(appendText(b, r.Data[i].Name), r.Data[i].Value)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// DecodeLogs is the reverse of EncodeLogs; times are in UTC. The result shares nothing with data.
func DecodeLogs(data []byte) (*Logs, error) {
	r, err := open(data)
	if err != nil {
		return nil, err
	}
	l := new(Logs)
	if err := json.Unmarshal(r.text(), l); err != nil || r.cut {
		return nil, fmt.Errorf("%w: logs: %w", ErrUnreadable, errors.Join(err, r.err()))
	}
	if l.Visit == "" || l.Host == "" {
		return nil, fmt.Errorf("%w: logs without visit or host", ErrUnreadable)
	}
	for i := range l.Channels {
		l.Channels[i].Records = r.records()
	}
	switch {
	case r.cut:
		return nil, fmt.Errorf("%w: logs: %w", ErrUnreadable, r.err())
	case len(r.left) > 0:
		return nil, fmt.Errorf("%w: logs: something follows their end", ErrUnreadable)
	}
	return l, nil
}

// What a record and one of its data take at least, in bytes.
const (
	recordLeast = 14
	fieldLeast  = 2
)

// records reads the records of a channel; nil if it has none.
func (r *reader) records() []report.Record {
	n := r.count(recordLeast)
	if n == 0 {
		return nil
	}
	records := make([]report.Record, 0, min(n, report.MaxRecords)) // what is said of their number may be wrong
	for range n {
		var one report.Record
		r.record(&one)
		if r.cut {
			return nil
		}
		records = append(records, one)
	}
	return records
}

func (r *reader) record(into *report.Record) {
	flags := r.byte()
	if flags&^flagAltered != 0 {
		r.left, r.cut = nil, true
		return
	}
	into.Altered = flags&flagAltered != 0
	into.ID = r.varint()
	seconds := r.varint()
	into.Event, into.Process = r.varint(), r.varint()
	nanoseconds := r.uvarint()
	if nanoseconds >= uint64(time.Second) {
		r.left, r.cut = nil, true
		return
	}
	into.Time = time.Unix(seconds, int64(nanoseconds)).UTC()
	into.Level = report.Level(r.text())
	for _, text := range [...]*string{&into.Source, &into.Computer, &into.User, &into.Keywords, &into.Message, &into.Raw} {
		*text = string(r.text())
	}
	n := r.count(fieldLeast)
	if n == 0 {
		return
	}
	into.Data = make([]report.Field, 0, min(n, report.MaxFields))
	for i := 0; i < n && !r.cut; i++ {
		into.Data = append(into.Data, report.Field{Name: string(r.text()), Value: string(r.text())})
	}
}

// count reads how many things follow, each of which takes so many bytes at least: what is left has room for no more.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.left)/least) {
		r.left, r.cut = nil, true
		return 0
	}
	return int(n)
}

func (r *reader) byte() byte {
	if len(r.left) == 0 {
		r.cut = true
		return 0
	}
	b := r.left[0]
	r.left = r.left[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.left)
	if n <= 0 {
		r.left, r.cut = nil, true
		return 0
	}
	r.left = r.left[n:]
	return value
}

func (r *reader) varint() int64 {
	value, n := binary.Varint(r.left)
	if n <= 0 {
		r.left, r.cut = nil, true
		return 0
	}
	r.left = r.left[n:]
	return value
}
