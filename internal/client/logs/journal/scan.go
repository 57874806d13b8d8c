package journal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"muster/internal/report"
)

// scan is the reading of one stream.
type scan struct {
	r  *reading
	st *stream

	was  place    // where it begins
	args []string // of journalctl, for the filter
	none bool     // no record can pass the filter

	epoch int64
	why   string // it begins, if it does
	used  bool   // something of the answer is in the epoch

	after     uint64 // the last entry that was read before, which is looked at once more; 0: the stream is read by time
	afterTime int64
	told      uint64 // up to which number it was told what is missing; 0: up to there
	since     int64  // entries that journald got before are passed over

	files []file // those to read
	tails []file // those whose last entry was not seen yet, by that
	last  mark   // the last entry that was read or passed over; 0: none
}

func newScan(r *reading, st *stream) *scan {
	p, known := r.at.places[key(st.id)]
	if !known {
		p = place{time: r.at.watermark, seek: true}
	}
	args, some := matches(&r.q.Filter)
	s := &scan{r: r, st: st, was: p, args: args, none: !some}
	if p.seek {
		s.since = p.time
	} else {
		s.after, s.afterTime, s.told = p.sequence, p.time, p.told
		s.last = mark{sequence: p.sequence, time: p.time}
	}
	s.epoch = p.epoch
	switch {
	case r.q.Cursor.Epoch == 0:
		s.why = "first reading"
	case known:
		s.why = "records under another of the journal's numberings follow"
	default:
		s.why = "the journal is numbered anew from here on"
	}
	if s.epoch == 0 {
		s.epoch = epochOf(st.id)
	}
	if st.restarted(p) {
		s.restart()
	}
	for _, f := range st.files {
		if f.tail >= max(1, s.after) && f.tailTime >= s.since {
			s.files = append(s.files, f)
		}
	}
	s.tails = slices.SortedFunc(slices.Values(s.files), func(a, b file) int { return cmp.Compare(a.tail, b.tail) })
	return s
}

// restart has the scan begin after the time of the last entry, since the numbers say nothing any more.
func (s *scan) restart() {
	s.epoch = epochOf(s.st.id + "@" + strconv.FormatInt(s.was.time, 36))
	s.why = "the numbers of the journal went back, as after a power cut"
	s.used = true
	s.after, s.told, s.last, s.since = 0, 0, mark{}, s.was.time+1
}

// epochOf returns the number of an epoch: of 52 bits, so that whatever reads JSON can hold it. It comes from the numbering's
// identity alone: so an entry has the same ids however often, and after whatever else, it is read.
func epochOf(identity string) int64 {
	sum := sha256.Sum256([]byte(identity))
	return int64(binary.BigEndian.Uint64(sum[:])>>12) | 1
}

// verdict says how a scan goes on.
type verdict int

const (
	next     verdict = iota // with the next entry
	ended                   // not at all: what there was is read
	full                    // in the next reading
	goneBack                // from the beginning: the numbers are those of other entries
	failed                  // in the next reading, if it can; trouble is noted
)

// read reads the stream, and notes in the answer what became of it.
func (s *scan) read(ctx context.Context) {
	v := ended
	if !s.none {
		s.checkOldest()
		if len(s.args) > 0 && s.after > 0 { // the entry at the cursor is perhaps not among those selected
			v = s.run(ctx, nil, s.verify)
		}
		if v == ended {
			v = s.run(ctx, s.args, s.take)
		}
		if v == goneBack {
			s.restart()
			v = s.run(ctx, s.args, s.take)
		}
	}
	switch v {
	case ended:
		s.end()
	case full:
		s.r.answer.More = true
	}
}

// run has journalctl read and look judge each entry. A file that journalctl does not open makes it refuse all: it is left
// out.
func (s *scan) run(ctx context.Context, args []string, look func(*entry, mark) verdict) verdict {
	v, err := s.attempt(ctx, args, look)
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil && s.leaveOut(ctx) {
		v, err = s.attempt(ctx, args, look)
	}
	switch {
	case ctx.Err() != nil && v == failed:
		if s.r.answer.More = true; s.last.sequence == s.was.sequence {
			s.r.trouble(report.TroubleSlow, "journalctl did not answer in the time that the reading has")
		}
		return failed
	case errors.Is(err, fs.ErrNotExist):
		s.r.trouble(report.TroubleAbsent, err.Error())
		return failed
	case err != nil:
		s.r.trouble(report.TroubleFailed, err.Error())
		return failed
	}
	return v
}

func (s *scan) attempt(ctx context.Context, args []string, look func(*entry, mark) verdict) (verdict, error) {
	all := []string{"--quiet", "--no-pager", "--output=export", s.from()}
	for i := range s.files {
		all = append(all, fileArgument(s.files[i].path))
	}
	if len(s.files) == 0 {
		return ended, nil
	}
	c, err := start(ctx, s.r.program, append(all, args...))
	if err != nil {
		return failed, err
	}
	p := newParser(c.out)
	for e := new(entry); ; {
		err := p.next(e)
		if ctx.Err() != nil { // whatever it read, it was killed
			c.stop()
			return failed, context.Cause(ctx)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			if end := c.wait(); end != nil {
				err = end
			} else if errors.Is(err, io.EOF) {
				return ended, nil
			}
			return failed, fmt.Errorf("read %s: %w", s.files[0].path, err)
		case err != nil:
			c.stop()
			return failed, fmt.Errorf("%s: %w", s.r.program, err)
		}
		at, ok := markOf(e)
		v := failed
		switch {
		case !ok:
			err = fmt.Errorf("%s: an entry does not say where in the journal it is", s.r.program)
		case at.stream != s.st.id:
			s.r.stale = true
		default:
			v = look(e, at)
		}
		if v != next {
			c.stop()
			return v, err
		}
	}
}

// from returns where journalctl is to begin. Its cursor may be one that names no more than stream and number:
// sd_journal_seek_cursor(3) has always taken those.
func (s *scan) from() string {
	if s.since > 0 {
		return "--since=@" + strconv.FormatInt(s.since/int64(time.Second/time.Microsecond), 10)
	}
	return fmt.Sprintf("--cursor=s=%s;i=%x", s.st.id, max(1, s.after))
}

// leaveOut takes out the files that journalctl does not open, and reports whether there are any. Where it opens none of the
// journal's files the fault is not theirs.
func (s *scan) leaveOut(ctx context.Context) bool {
	good := slices.DeleteFunc(slices.Clone(s.files), func(f file) bool { return !opens(ctx, s.r.program, &f) })
	if len(good) == len(s.files) || len(good) == 0 && !s.othersOpen(ctx) {
		return false
	}
	s.files = good
	return true
}

func (s *scan) othersOpen(ctx context.Context) bool {
	return slices.ContainsFunc(s.r.survey.streams, func(st *stream) bool {
		return slices.ContainsFunc(st.files, func(f file) bool { return opens(ctx, s.r.program, &f) })
	})
}

// verify looks whether the first entry is the one that was read last.
func (s *scan) verify(_ *entry, at mark) verdict {
	if s.another(at) {
		return goneBack
	}
	return ended
}

// another reports whether an entry has the number of the one that was read last, and is not the same.
func (s *scan) another(at mark) bool {
	return s.after > 0 && at.sequence == s.after && s.afterTime > 0 && at.time != s.afterTime
}

// take takes an entry.
func (s *scan) take(e *entry, at mark) verdict {
	switch {
	case s.another(at):
		return goneBack
	case at.sequence <= s.last.sequence:
		return next
	case at.sequence > s.st.tail:
		return ended
	}
	if at.time < s.since {
		s.pass(at)
		return next
	}
	if record := s.r.maker.record(e, at); s.r.q.Filter.Match(&record) {
		if !s.r.batch.Add(record) {
			return full
		}
		s.used = true
	}
	s.checkHole(at)
	s.pass(at)
	return next
}

func (s *scan) pass(at mark) {
	s.last = at
	for len(s.tails) > 0 && s.tails[0].tail <= at.sequence {
		s.tails = s.tails[1:]
	}
}

// end notes that all that there was is read.
func (s *scan) end() {
	if len(s.args) == 0 && !s.none {
		for len(s.tails) > 0 {
			if f := &s.tails[0]; !f.archived {
				if f.tail-max(s.last.sequence, f.head-1) > 1 { // one may be about to be written
					s.r.trouble(report.TroubleFailed, fmt.Sprintf("%s is damaged: the entries from %d to %d can't be read",
						f.path, max(s.last.sequence+1, f.head), f.tail))
				}
				return
			}
			s.skip()
		}
	}
	s.last = mark{sequence: s.st.tail, time: s.st.tailTime}
}

// place returns where the next reading begins.
func (s *scan) place() place {
	if s.last.sequence == 0 {
		s.used = false
		return s.was
	}
	p := place{sequence: s.last.sequence, time: s.last.time, epoch: s.was.epoch}
	if s.used {
		p.epoch = s.epoch
	}
	if s.told > p.sequence {
		p.told = s.told
	}
	p.closed = p.sequence == s.st.tail && s.st.closed()
	return p
}
