package client

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/client/bound"
	"muster/internal/client/logs"
	"muster/internal/client/stats"
	"muster/internal/report"
)

// longestRead is how long a source may take at most, however far the deadline is.
const longestRead = 5 * time.Second

// reading is what the sources gave, each at its index.
type reading struct {
	at      time.Time // when the sources were asked
	results []result
}

type result struct {
	statistics []report.Statistic
	err        error
}

// tooSlow is why a source is given up.
type tooSlow struct{ after time.Duration }

func (t tooSlow) Error() string {
	return fmt.Sprintf("no answer within %v", t.after.Round(time.Millisecond))
}

// logsSource is the source of the failures that are channels of logs.
const logsSource = "logs"

// collect takes the statistics and reads the logs that are asked for, beside each other. A further part of a visit has logs
// alone. The error is the cause of the end of ctx, and nothing else: what fails is in the report.
func collect(ctx context.Context, request *report.Request, o *Options) (*report.Report, error) {
	var read []report.Logs
	var reading sync.WaitGroup
	reading.Go(func() { read = readLogs(ctx, request, o.Logs) })
	r := newReport(request)
	if request.Part == 0 {
		takeStatistics(ctx, r, request, o.Sources)
	}
	reading.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.Logs = read
	for i := range read {
		if t := read[i].Trouble; t != nil {
			r.Failures = append(r.Failures, report.Failure{Source: logsSource, Reason: read[i].Channel + ": " + t.Text})
		}
	}
	return r, nil
}

// readLogs reads the channels in half of the time that there is, which leaves the other for sealing and delivery.
func readLogs(ctx context.Context, request *report.Request, all []logs.Source) []report.Logs {
	if len(request.Logs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, deadline(request)/2)
	defer cancel()
	return logs.Read(ctx, request, all)
}

// takeStatistics reads the sources that are asked for into a report. A second reading is made where the request wants a sample: of the
// sources with counters, a sample's time later; it replaces the first, and the rates between the two are added. Where
// ctx ends before that the report is not complete.
func takeStatistics(ctx context.Context, r *report.Report, request *report.Request, all []stats.Source) {
	sources, unknown := choose(all, request.Sources)
	// Two readings and a sample take three quarters of the time at most, and leave one for the delivery.
	share := deadline(request) / 4
	patience := min(longestRead, share)
	sample := min(request.Sample, share)

	last := read(ctx, sources, patience)
	var rates []report.Statistic
	if sample > 0 && wait(ctx, sample) {
		last, rates = readAgain(ctx, sources, last, patience)
	}
	r.Time = last.at.UTC()
	r.Statistics = append(last.statistics(), rates...)
	r.Failures = unknown
	for i, source := range sources {
		for _, err := range parts(last.results[i].err) {
			r.Failures = append(r.Failures, report.Failure{Source: source.Name, Reason: err.Error()})
		}
	}
}

// choose returns the sources of the names given, in their own order, or all where no names are given; and a failure for
// each name that no source has.
func choose(all []stats.Source, names []string) ([]stats.Source, []report.Failure) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []stats.Source
	var have []string
	for _, source := range all {
		have = append(have, source.Name)
		if slices.Contains(names, source.Name) {
			chosen = append(chosen, source)
		}
	}
	var unknown []report.Failure
	for i, name := range names {
		if !slices.Contains(have, name) && !slices.Contains(names[:i], name) {
			reason := fmt.Sprintf("there is no such source on %s; there are %s", runtime.GOOS, strings.Join(have, ", "))
			unknown = append(unknown, report.Failure{Source: name, Reason: reason})
		}
	}
	return chosen, unknown
}

// read reads all sources beside each other and returns when each has answered or is given up.
func read(ctx context.Context, sources []stats.Source, patience time.Duration) reading {
	now := reading{at: time.Now(), results: make([]result, len(sources))}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, tooSlow{patience})
	defer cancel()
	var running sync.WaitGroup
	for i, source := range sources {
		running.Go(func() {
			got, err := bound.Call(ctx, func(ctx context.Context) (result, error) {
				statistics, err := source.Read(ctx)
				return result{statistics, err}, nil
			})
			if err != nil {
				got.err = err
			}
			now.results[i] = got
		})
	}
	running.Wait()
	return now
}

// readAgain reads the sources that gave counters before. It returns the reading with what they gave now in place of what
// they gave before, and the rates between the two. A source that gives nothing now stays as it was, and has no rates.
func readAgain(
	ctx context.Context, sources []stats.Source, before reading, patience time.Duration,
) (reading, []report.Statistic) {
	var again []stats.Source
	var index []int // of a source that is read again among all
	for i, r := range before.results {
		if slices.ContainsFunc(r.statistics, func(s report.Statistic) bool { return s.Kind == report.Counter }) {
			again = append(again, sources[i])
			index = append(index, i)
		}
	}
	now := read(ctx, again, patience)
	rates := report.Rates(before.statistics(), now.statistics(), now.at.Sub(before.at))

	merged := reading{at: now.at, results: slices.Clone(before.results)}
	for j, r := range now.results {
		if len(r.statistics) == 0 {
			r.statistics = before.results[index[j]].statistics
		}
		merged.results[index[j]] = r
	}
	return merged, rates
}

func (r reading) statistics() []report.Statistic {
	var all []report.Statistic
	for _, result := range r.results {
		all = append(all, result.statistics...)
	}
	return all
}

// wait returns true after the duration, or false as soon as ctx ends.
func wait(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// parts returns the errors that were joined, or the one that there is.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, parts(part)...)
	}
	return all
}
