package journal

import "muster/internal/report"

// checkOldest notes a gap where the oldest entry that is there is not the next one. The numbers between may have been other
// journals': then nobody knows whether anything is missing. It is told once, though other journals' entries may be read one
// by one from then on, or none for now.
func (s *scan) checkOldest() {
	told := max(s.after, s.told)
	if oldest := s.st.oldest(); s.after > 0 && oldest > told+1 {
		s.gap(told+1, oldest-1, "they were removed from the journal before they were read")
		s.told = oldest - 1
	}
}

// checkHole notes a gap where entries before this one should have come. Of a file that ended it is its last one at least;
// within a file, where no other journal takes numbers from the same counter, it is each. Numbers between two files say
// nothing: up to version 247 journald counts on when a file turns out to be full.
func (s *scan) checkHole(at mark) {
	if len(s.args) > 0 {
		return
	}
	for len(s.tails) > 0 && s.tails[0].tail < at.sequence {
		s.skip()
	}
	first := s.last.sequence + 1
	if s.last.sequence == 0 || first >= at.sequence || !s.r.survey.alone() {
		return
	}
	for i := range s.st.files {
		if f := &s.st.files[i]; f.head < first && at.sequence <= f.tail {
			s.gap(first, at.sequence-1, f.path+" is damaged")
			return
		}
	}
}

// skip passes over the rest of a file, of which the last entry did not come.
func (s *scan) skip() {
	f := s.tails[0]
	s.tails = s.tails[1:]
	if first := max(s.last.sequence+1, f.head); f.tail > first || s.last.sequence < f.head {
		s.gap(first, f.tail, f.path+" is damaged")
	}
	s.last = mark{sequence: f.tail, time: f.tailTime}
}

func (s *scan) gap(first, last uint64, reason string) {
	s.used = true
	s.r.gap(report.Gap{
		Epoch: s.epoch, First: int64(first), Last: int64(last), Reason: reason, Possible: !s.r.survey.alone(),
	})
}
