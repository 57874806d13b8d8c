package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

const maxNumber = math.MaxUint32 // of events and processes

// check returns why the logs of a channel can't be in a report, or nil; and how many bytes their records have there.
func (l *Logs) check() (int, error) {
	if err := l.checkHead(); err != nil {
		return 0, err
	}
	if err := checkGaps(l.Gaps); err != nil {
		return 0, err
	}
	return l.checkRecords()
}

// checkHead is check without gaps and records.
func (l *Logs) checkHead() error {
	if err := checkChannel(l.Channel); err != nil {
		return fmt.Errorf("the channel: %w", err)
	}
	if err := checkIdentity(l.Begun); err != nil {
		return fmt.Errorf("the identity of the epoch: %w", err)
	}
	if err := checkText(l.Why, MaxWord); err != nil {
		return fmt.Errorf("why the epoch began: %w", err)
	}
	if err := l.Next.check(); err != nil {
		return err
	}
	switch {
	case l.Epoch != l.Next.Epoch:
		return errors.New("the next reading is not to begin in the epoch of the records")
	case l.Begun != "" && l.Epoch == 0:
		return errors.New("an epoch that began has no number")
	case l.Begun == "" && l.Why != "":
		return errors.New("it says why an epoch began, and none did")
	}
	if l.Trouble == nil {
		return nil
	}
	return l.Trouble.check()
}

func (l *Logs) checkRecords() (size int, err error) {
	var last int64
	for i := range l.Records {
		r := &l.Records[i]
		if err := r.check(); err != nil {
			return 0, fmt.Errorf("record %d: %w", r.ID, err)
		}
		if r.ID <= last {
			return 0, fmt.Errorf("record %d comes after record %d", r.ID, last)
		}
		last = r.ID
		n, err := checkSize(r)
		if err != nil {
			return 0, fmt.Errorf("record %d: %w", r.ID, err)
		}
		size += n
	}
	return size, l.checkEnd(last)
}

// checkSize returns the size of a record, or that it is larger than allowed.
func checkSize(r *Record) (int, error) {
	size := r.Size()
	if size > MaxRecord {
		return 0, fmt.Errorf("%d bytes are %w (%d)", size, ErrTooLarge, MaxRecord)
	}
	return size, nil
}

// checkEnd returns how the end of the reading differs from the id of the last record, or nil. last is 0 where there is none.
func (l *Logs) checkEnd(last int64) error {
	switch {
	case last > 0 && l.Epoch == 0:
		return errors.New("there are records, of no epoch")
	case last > l.Next.Record:
		return errors.New("the next reading is to begin before the last record")
	}
	return nil
}

// check returns why a record can't be in a report, or nil. Its size is checkSize's matter.
func (r *Record) check() error {
	if err := r.checkWords(); err != nil {
		return err
	}
	if err := checkTime(r.Time); err != nil {
		return err
	}
	if !isLevel(r.Level) {
		return fmt.Errorf("there is no level %s", quote(string(r.Level)))
	}
	if err := checkContent(r.Message, MaxMessage); err != nil {
		return fmt.Errorf("the message: %w", err)
	}
	if err := checkContent(r.Raw, MaxRaw); err != nil {
		return fmt.Errorf("the raw form: %w", err)
	}
	if len(r.Data) > MaxFields {
		return fmt.Errorf("%d pieces of data are %w (%d)", len(r.Data), ErrTooLarge, MaxFields)
	}
	for i := range r.Data {
		if err := r.Data[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// checkWords is check of the numbers and the short texts.
func (r *Record) checkWords() error {
	if r.ID < 1 {
		return errors.New("ids begin at 1")
	}
	if r.Event < 0 || r.Event > maxNumber || r.Process < 0 || r.Process > maxNumber {
		return fmt.Errorf("the event's or the process's id is not between 0 and %d", int64(maxNumber))
	}
	for _, word := range []struct{ name, value string }{
		{"source", r.Source}, {"computer", r.Computer}, {"user", r.User}, {"keywords", r.Keywords},
	} {
		if err := checkText(word.value, MaxWord); err != nil {
			return fmt.Errorf("the %s: %w", word.name, err)
		}
	}
	return nil
}

func (f *Field) check() error {
	if err := checkText(f.Name, MaxWord); err != nil {
		return fmt.Errorf("the name of data: %w", err)
	}
	if err := checkContent(f.Value, MaxField); err != nil {
		return fmt.Errorf("the data %s: %w", quote(f.Name), err)
	}
	return nil
}

// checkContent returns why a text may not stand between tags, or nil. It may hold whatever XML can, of at most so many bytes.
func checkContent(text string, most int) error {
	if len(text) > most {
		return fmt.Errorf("it is longer than %d bytes", most)
	}
	if forbiddenByte(text) >= 0 {
		return errors.New("it holds a character that XML forbids, or is not UTF-8")
	}
	return nil
}

func isLevel(level Level) bool {
	return level == "" || slices.Contains(Levels(), level)
}

func checkChannel(channel string) error {
	return checkFilled(channel, MaxChannel)
}

// checkIdentity returns why a text can't be the identity of an epoch, or nil.
func checkIdentity(identity string) error {
	return checkBytes(identity, MaxIdentity)
}

// checkBytes is checkText for a text whose bytes are counted.
func checkBytes(text string, most int) error {
	if len(text) > most {
		return fmt.Errorf("it is longer than %d bytes", most)
	}
	return checkText(text, most)
}

func (c *Cursor) check() error {
	if c.Epoch < 0 || c.Record < 0 || c.Epoch == 0 && c.Record > 0 {
		return errors.New("a cursor has an epoch and a record from 0 on, and no record without an epoch")
	}
	if err := checkBytes(c.Position, MaxPosition); err != nil {
		return fmt.Errorf("the position: %w", err)
	}
	return nil
}

func checkGaps(gaps []Gap) error {
	if len(gaps) > MaxGaps {
		return fmt.Errorf("%d gaps are %w (%d)", len(gaps), ErrTooLarge, MaxGaps)
	}
	for i := range gaps {
		g := &gaps[i]
		if g.Epoch < 1 || g.First < 1 || g.Last != 0 && g.Last < g.First {
			return errors.New("a gap has no epoch, no first record, or ends before it begins")
		}
		if err := checkFilled(g.Reason, MaxWord); err != nil {
			return fmt.Errorf("the reason of a gap: %w", err)
		}
	}
	return nil
}

func (t *Trouble) check() error {
	switch t.Kind {
	case TroubleDenied, TroubleAbsent, TroubleQuery, TroubleUnsupported, TroubleSlow, TroubleFailed:
	default:
		return fmt.Errorf("there is no trouble of the kind %s", quote(string(t.Kind)))
	}
	if err := checkFilled(t.Text, MaxReason); err != nil {
		return fmt.Errorf("the text of the trouble: %w", err)
	}
	return nil
}

// checkLogs returns why the channels can't be in one report, or nil.
func checkLogs(logs []Logs) error {
	if len(logs) > MaxChannels {
		return fmt.Errorf("%d channels are %w (%d)", len(logs), ErrTooLarge, MaxChannels)
	}
	var count, size int
	for i := range logs {
		l := &logs[i]
		if slices.ContainsFunc(logs[:i], func(o Logs) bool { return o.Channel == l.Channel }) {
			return fmt.Errorf("channel %s is there twice", quote(l.Channel))
		}
		n, err := l.check()
		if err != nil {
			return fmt.Errorf("channel %s: %w", quote(l.Channel), err)
		}
		count += len(l.Records)
		size += n
	}
	return checkTotal(count, size)
}

// checkTotal returns that so many records, of so many bytes, are more than a report may have, or nil.
func checkTotal(count, size int) error {
	if count > MaxRecords || size > MaxRecordBytes {
		return fmt.Errorf("%d records of %d bytes are %w (%d, and %d bytes)", count, size, ErrTooLarge, MaxRecords, MaxRecordBytes)
	}
	return nil
}

// validLength returns how much of text, at most so many bytes, ends at the end of a character.
func validLength(text string, most int) int {
	if len(text) <= most {
		return len(text)
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return most
}
