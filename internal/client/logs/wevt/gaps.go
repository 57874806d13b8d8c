package wevt

import (
	"context"

	"muster/internal/report"
)

// rotated notes what is gone of the records that Windows has to go through, where it selects: those older than the oldest
// that were not looked at when the last batch was asked for. At the end of the results, ended, those behind the end are the
// next reading's matter.
func (r *reading) rotated(ctx context.Context, ended bool) error {
	if r.all {
		return nil
	}
	oldest, err := r.oldest(ctx)
	if err != nil {
		return err
	}
	gone := oldest - 1
	switch {
	case oldest == 0 && !ended:
		r.cleared = true // up to where, the batch says
	case oldest == 0 || ended && gone > r.end.id:
		gone = r.end.id
	}
	if gone > r.last.id {
		r.gap(gone)
	}
	return nil
}

// unseen notes that the records behind the last one, up to this id, are missing, if they would have been seen.
func (r *reading) unseen(to int64) {
	if (r.all || r.broken || r.cleared) && to > r.last.id {
		r.gap(to)
	}
}

// gap notes that the records behind the last one, up to this id, are missing.
func (r *reading) gap(to int64) {
	first := r.last.id + 1
	reason := "the records were gone before they were read: rotated away, or the log was cleared"
	if r.broken {
		reason = "Windows can't render the records"
	}
	if n := len(r.gaps); n > 0 && r.gaps[n-1].Epoch == r.epoch && r.gaps[n-1].Last >= first-1 && r.gaps[n-1].Last > 0 {
		r.gaps[n-1].Last = max(to, r.gaps[n-1].Last) // the log goes faster than the reading
		return
	}
	r.gaps = append(r.gaps, report.Gap{Epoch: r.epoch, First: first, Last: to, Possible: r.filtered, Reason: reason})
}
