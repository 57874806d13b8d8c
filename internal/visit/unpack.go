package visit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/seal"
)

// parcel is a sealed report with what it takes to open it.
type parcel struct {
	request report.Request
	sealed  []byte
	size    int // of what was sealed
	sum     sum
	read    time.Time     // when the report began to come, which is when its counters were read
	took    time.Duration // from the request to the last word
}

// unpack opens a sealed report, reads it and compares it with the request.
func (a *attempt) unpack(ctx context.Context, p *parcel) (r *report.Report, err error) {
	var document []byte
	err = a.stage(ctx, failure.Open, 0, func(context.Context) (err error) {
		binding := seal.Binding{Host: p.request.Host, Visit: p.request.Visit, Part: uint32(p.request.Part)}
		document, err = seal.Open(p.request.Key, p.request.Nonce, binding, p.sealed, report.MaxDocument)
		if errors.Is(err, seal.ErrAltered) && p.sum == a.known.last {
			return errReplayed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.known.last, p.sealed = p.sum, nil
	a.trace.note("opened", fmt.Sprintf("the seal is right: %d bytes of XML", len(document)))
	err = a.stage(ctx, failure.Decode, 0, func(context.Context) (err error) {
		r, err = a.decode(document, &p.request)
		return err
	})
	return r, err
}

// decode reads the report that answers a request.
func (a *attempt) decode(document []byte, request *report.Request) (*report.Report, error) {
	r, err := request.Parse(document)
	if err != nil {
		return nil, err
	}
	if r.Visit != a.visit.ID || r.Host != a.host.Name {
		return nil, fmt.Errorf("%w: it says it is of visit %s to %s", errOther,
			report.Visible(r.Visit, 40), report.Visible(r.Host, 40))
	}
	for i := range r.Failures {
		r.Failures[i].Reason = a.secret.hide(r.Failures[i].Reason)
	}
	a.secret.hideWords(r.Logs)
	a.secret.hideRecords(r.Logs)
	return r, nil
}

// count adds the rates to a report whose counters were read at the given time, and sees to it that these are remembered
// once the visit is acknowledged.
func (a *attempt) count(r *report.Report, read time.Time) {
	if skew := r.Time.Sub(a.now()).Round(time.Second); skew.Abs() > skewed {
		a.log.Warn("the host's clock differs from ours", "skew", skew)
	}
	rates := report.Rates(a.known.counters.statistics(), r.Statistics, read.Sub(a.known.read))
	counters := packCounters(r.Statistics)
	a.visit.acknowledge = func() { a.hosts.advance(&a.host, counters, read) }
	r.Statistics = append(r.Statistics, rates...)
}
