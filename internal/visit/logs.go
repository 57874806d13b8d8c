package visit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"muster/internal/failure"
	"muster/internal/report"
)

// FirstRecords and FirstBytes bound the records of a visit's first part, which every visit may ask for. A further part
// has the bounds of a report, and only some visits at a time ask for one: so what a server holds in memory is bounded by
// parallel visits × FirstBytes + those that go on × report.MaxRecordBytes.
const (
	FirstRecords = 1000
	FirstBytes   = 256 << 10
)

const (
	// largePart is the size of a sealed report from which the next part is fetched as a file: base64 through standard output
	// costs a third more bytes than that, a file five more round trips.
	largePart = 64 << 10
	// leastLeft is the least time in which it is worth asking for another part.
	leastLeft = time.Second
	// logSource is the source of what goes wrong with logs in a report.
	logSource = "logs"
)

// Logs is whoever knows what is wanted of a host's logs, and keeps what comes of it. Its methods are called by one goroutine.
type Logs interface {
	// Requests returns what is to be asked of the host now; nothing: none of its logs is to be read.
	Requests() []report.LogRequest
	// Keep returns when what a part brought is on disk; from then on Requests goes on behind it. After an error it was not
	// kept, and Requests returns what it did before. It is called for each part, whether it brought records or not.
	Keep(ctx context.Context, p *Part) error
	// Continue returns whether the visit may ask for another part now. If it may, release is called when that is done with.
	Continue() (release func(), ok bool)
}

// Part is what one part of a visit brought of the host's logs.
type Part struct {
	Visit   string    // its id
	Number  int       // of the part, from 0
	Sweep   time.Time // the sweep's scheduled time
	Host    string
	Read    time.Time     // when it was received
	Answers []report.Logs // of each channel that was asked for, in that order
}

// ChannelRead is how the reading of a channel went in a visit.
type ChannelRead struct {
	Channel string
	Records int             // that were kept
	Gaps    int             // likewise
	More    bool            // there is more to read
	Trouble *report.Trouble // nil: there was none
}

// bringLogs hands over what the first part brought of the logs, and asks for more while there is more to read, and a place
// and time for it. Whatever goes wrong here is told in the report: it is no failure of the visit, which has all else.
func (a *attempt) bringLogs(ctx context.Context, p *parcel) {
	answers := a.answers(p, a.report)
	a.report.Logs = nil
	if len(answers) == 0 {
		return
	}
	for i := range answers {
		a.visit.Logs = append(a.visit.Logs, ChannelRead{Channel: answers[i].Channel})
	}
	ctx, cancel := within(ctx, furtherParts, a.furtherLeft())
	defer cancel()
	for p != nil {
		release, more := a.mayGoOn(ctx, p, answers)
		if !more {
			a.disconnect()
		}
		kept := a.keep(ctx, p, answers)
		if !more || !kept {
			release()
			break
		}
		p, answers = a.further(ctx, p, answers)
		release()
	}
	a.disconnect()
	a.reportLogs()
}

// answers returns what a part says of each channel that it was asked for, in that order.
func (a *attempt) answers(p *parcel, r *report.Report) []report.Logs {
	answers := make([]report.Logs, 0, len(p.request.Logs))
	for i := range p.request.Logs {
		channel := p.request.Logs[i].Channel
		at := slices.IndexFunc(r.Logs, func(l report.Logs) bool { return l.Channel == channel })
		if at >= 0 {
			answers = append(answers, r.Logs[at])
			continue
		}
		trouble := &report.Trouble{Kind: report.TroubleSlow, Text: "the time was too short for it"}
		if len(r.Logs) == 0 && a.host.Client != "" {
			trouble = &report.Trouble{Kind: report.TroubleUnsupported, Text: "the installed client reads no logs: it may be too old to"}
		}
		answers = append(answers, report.Logs{Channel: channel, Trouble: trouble})
	}
	return answers
}

// furtherParts is what takes its time when a visit goes on.
const furtherParts = "reading the logs"

// furtherLeft returns the time that is left to further parts; 0: as long as the visit has.
func (a *attempt) furtherLeft() time.Duration {
	if a.host.Further <= 0 {
		return 0
	}
	return max(a.host.Further-a.now().Sub(a.visit.Started), time.Nanosecond)
}

// timeLeft returns how long ctx lasts yet.
func timeLeft(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return report.MaxDeadline
	}
	return min(max(time.Until(end), time.Millisecond), report.MaxDeadline)
}

// mayGoOn tells whether another part is to be asked for after this one, which takes a place among those that may. The
// place is given back by release, which may be called in any case.
func (a *attempt) mayGoOn(ctx context.Context, p *parcel, answers []report.Logs) (release func(), more bool) {
	none := func() {}
	if len(unread(p, answers)) == 0 || p.request.Part == report.MaxParts || ctx.Err() != nil || timeLeft(ctx) < max(leastLeft, 2*p.took) {
		return none, false
	}
	release, more = a.host.Logs.Continue()
	if !more {
		return none, false
	}
	return release, true
}

// unread returns the channels that have more to read. One in trouble is left to the next visit, and so is one that does not
// get on, whatever its host says.
func unread(p *parcel, answers []report.Logs) []string {
	var channels []string
	for i := range answers {
		l := &answers[i]
		stuck := len(l.Records) == 0 && (l.Next == report.Cursor{} || l.Next == p.request.Logs[i].Cursor)
		if l.More && l.Trouble == nil && !stuck {
			channels = append(channels, l.Channel)
		}
	}
	return channels
}

// keep hands over what a part brought, and notes how the reading of its channels goes.
func (a *attempt) keep(ctx context.Context, p *parcel, answers []report.Logs) bool {
	a.clock.pause(a.now())
	// What has come home is kept even where the visit is cancelled.
	err := a.host.Logs.Keep(context.WithoutCancel(ctx), &Part{
		Visit: a.visit.ID, Number: p.request.Part, Sweep: a.visit.Sweep, Host: a.host.Name, Read: p.read, Answers: answers,
	})
	for i := range answers {
		l := &answers[i]
		at := slices.IndexFunc(a.visit.Logs, func(c ChannelRead) bool { return c.Channel == l.Channel })
		c := &a.visit.Logs[at]
		c.More, c.Trouble = l.More, l.Trouble
		if err == nil {
			c.Records += len(l.Records)
			c.Gaps += len(l.Gaps)
		}
	}
	if err != nil {
		a.lament(fmt.Errorf("what they brought is not kept, and is read again by the next visit: %w", err))
	}
	return err == nil
}

// further asks for another part of the channels that have more to read; nil where none came.
func (a *attempt) further(ctx context.Context, before *parcel, answers []report.Logs) (*parcel, []report.Logs) {
	request := a.request(ctx, before.request.Part+1)
	channels := unread(before, answers)
	request.Logs = slices.DeleteFunc(slices.Clone(request.Logs), func(l report.LogRequest) bool {
		return !slices.Contains(channels, l.Channel)
	})
	if len(request.Logs) == 0 {
		return nil, nil
	}
	if a.asFile(ctx, before) {
		request.File = report.FilePrefix + a.visit.ID + "-" + strconv.Itoa(request.Part)
	}
	p, err := a.fetch(ctx, request)
	var r *report.Report
	if err == nil {
		r, err = a.unpack(ctx, p)
	}
	if err != nil {
		a.breakOff(ctx, err)
		return nil, nil
	}
	return p, a.answers(p, r)
}

// asFile tells whether the next part is to come as a file: where the configuration has it so, and otherwise where that is
// worth it and can be had. A client that an administrator installed, or that sudo runs, writes no file that we may fetch.
func (a *attempt) asFile(ctx context.Context, before *parcel) bool {
	switch {
	case a.host.Transfer == File:
		return true
	case a.host.Client != "" || a.host.Sudo || before.size < largePart:
		return false
	}
	_, err := a.conn.Files(ctx)
	return err == nil
}

// breakOff notes why no further part came. That the time was up, the visit was stopped, or the host runs one command a
// connection is as it should be: the rest is for the next visit.
func (a *attempt) breakOff(ctx context.Context, err error) {
	var failed *failure.Error
	if errors.As(err, &failed) && (failed.Kind == failure.OneSession || failed.Kind == failure.Cancelled || ctx.Err() != nil) {
		a.log.Debug("the rest of the logs is left to the next visit", "err", a.secret.cover(err))
		return
	}
	a.lament(fmt.Errorf("their reading broke off, and the next visit goes on: %w", err))
}

// lament notes what went wrong with the logs as a whole.
func (a *attempt) lament(err error) {
	a.log.Warn("logs are not read to their end", "err", a.secret.cover(err))
	a.complain(err.Error())
}

// complain adds a failure of the logs to the report, unless its client has said the same.
func (a *attempt) complain(reason string) {
	f := report.Failure{Source: logSource, Reason: report.Visible(a.secret.hide(reason), report.MaxReason)}
	if !slices.Contains(a.report.Failures, f) {
		a.report.Failures = append(a.report.Failures, f)
	}
}

// reportLogs adds to the report how the reading of the logs went.
func (a *attempt) reportLogs() {
	statistic := func(name, channel string, value int) {
		a.report.Statistics = append(a.report.Statistics, report.Statistic{
			Name: name, Instance: channel, Unit: "1", Kind: report.Gauge, Value: float64(value),
		})
	}
	for i := range a.visit.Logs {
		c := &a.visit.Logs[i]
		failed := 0
		if c.Trouble != nil {
			failed = 1
			a.complain(c.Channel + ": " + c.Trouble.Text)
		}
		statistic(report.LogsRecords, c.Channel, c.Records)
		statistic(report.LogsGaps, c.Channel, c.Gaps)
		statistic(report.LogsFailed, c.Channel, failed)
	}
}
