// Package client is one pass on a host: it reads a request, takes the statistics and reads the log records that it asks for,
// and gives back a sealed report.
//
// It is made of functions, one after the other: receive the request, collect, marshal, seal, deliver. It keeps nothing
// between passes, listens on nothing, starts nothing that outlives it, and writes nothing but the report: to standard
// output, or to a new file beside the client where the request names one. There it also removes files of ours that were
// left behind, once they are old. It knows no SSH, no database and no mail; a
// test asserts what it links.
//
// # What it promises
//
// A source that fails, panics or hangs is a failure in the report, beside what the others gave. The pass ends within the
// deadline of the request, and at once where the server goes away, which is seen by the end of standard input: a client
// never outlives its visit. It ends even where a source, or the other end of its output, never will. A report that is
// too large is cut, and says so. Log records, which a visit can bring in several parts, are never cut: what is not in this
// report is for the next, and the report says where that is to begin. A channel that can't be read is a failure, too.
//
// The request's key and nonce are used for the seal alone and are in no log, error, file or child's environment.
//
// # Concurrency
//
// Sources are read beside each other, each for at most a bounded time, and the logs beside them, one channel after the other
// in half of the deadline. What is stuck in the kernel cannot be ended: Run
// leaves such a goroutine behind (see package bound), and the process is to end when Run has returned.
package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"muster/internal/client/bound"
	"muster/internal/client/logs"
	"muster/internal/client/stats"
	"muster/internal/report"
	"muster/internal/seal"
)

// DefaultDeadline is how long a pass may take where the request does not say, and how long it waits for a request.
const DefaultDeadline = 30 * time.Second

// What a caller decides on. The errors of Run wrap these; any other means that the report could not be made or delivered.
var (
	ErrRequest  = errors.New("bad request")
	ErrStopped  = errors.New("stopped before the report was delivered")
	ErrDeadline = errors.New("the deadline passed before the report was delivered")
)

// Options are what a pass works with. All but Directory and Logs are needed.
type Options struct {
	Stdin     io.Reader      // the request on one line; then nothing more, until its end says stop
	Stdout    io.Writer      // takes the frame of the report
	Log       *slog.Logger   // takes a few short lines
	Version   string         // of the client, for the report
	Directory string         // where a file that the request asks for is made: the client's own folder; empty: nothing is written
	Sources   []stats.Source // what there is to read: stats.Sources()
	Logs      []logs.Source  // the logs that there are: all.Sources(…)
}

// Run makes one pass and returns when the report is delivered or cannot be. It ends early, and promptly, when ctx or
// Stdin ends (ErrStopped) or the deadline passes (ErrDeadline). A report's file stays until one of them does, after which
// it is gone, if the server has not removed it: so no file outlives its visit, whatever becomes of that. A request that cannot be read, or not be done as it
// says, is ErrRequest.
//
// Run reads Stdin until its end, in a goroutine that may be left blocked when it returns.
func Run(ctx context.Context, o Options) error {
	started := time.Now()
	ctx, stop := stoppable(ctx)
	defer stop(nil)

	input := bufio.NewReader(o.Stdin)
	request, err := receive(ctx, input, started.Add(DefaultDeadline))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, started.Add(deadline(request)), ErrDeadline)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, input) // an error ends the input as its end does
		stop(fmt.Errorf("%w: standard input ended", ErrStopped))
	}()

	r, err := collect(ctx, request, &o)
	if err != nil {
		return err
	}
	r.Client = o.Version
	sealed, err := pack(request, r)
	if err != nil {
		return err
	}
	tidy(ctx, o.Directory, time.Now())
	if err := deliver(ctx, request.File, sealed, o); err != nil {
		return err
	}
	logReport(o.Log, r, len(sealed), time.Since(started))
	if request.File != "" {
		<-ctx.Done() // the server has the file, or will never fetch it
		remove(ctx, filepath.Join(o.Directory, request.File))
	}
	return nil
}

// stoppable returns a context that ends with ErrStopped as its cause when ctx ends.
func stoppable(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() { cancel(fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))) })
	return inner, func(cause error) {
		release()
		cancel(cause)
	}
}

func deadline(request *report.Request) time.Duration {
	if request.Deadline > 0 {
		return request.Deadline
	}
	return DefaultDeadline
}

// receive reads the request. What may follow it stays in input.
func receive(ctx context.Context, input *bufio.Reader, until time.Time) (*report.Request, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, until, fmt.Errorf("%w: no request came", ErrDeadline))
	defer cancel()
	request, err := bound.Call(ctx, func(context.Context) (*report.Request, error) {
		request, err := report.ReadRequest(input)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRequest, err)
		}
		return request, nil
	})
	if err != nil {
		return nil, err
	}
	return request, checkFile(request.File)
}

// newReport returns the report of a request, still without what is to be reported.
func newReport(request *report.Request) *report.Report {
	hostname, _ := os.Hostname() // informative; a report without it is better than none
	return &report.Report{
		Time:     time.Now().UTC(),
		Visit:    request.Visit,
		Host:     request.Host,
		OS:       runtime.GOOS,
		Arch:     runtime.GOARCH,
		Hostname: hostname,
	}
}

// pack makes the report sendable, writes it and seals it for its visit.
func pack(request *report.Request, r *report.Report) ([]byte, error) {
	document, err := marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	to := seal.Binding{Host: request.Host, Visit: request.Visit, Part: uint32(request.Part)}
	sealed, err := seal.Seal(request.Key, request.Nonce, to, document)
	if err != nil {
		return nil, fmt.Errorf("seal the report: %w", err)
	}
	return sealed, nil
}

// marshal writes the report. One that is too large loses its last statistics until it is not, and says so. Log records are
// never the reason: they are counted while they are read.
func marshal(r *report.Report) ([]byte, error) {
	r.Clean()
	failures := slices.Clip(r.Failures[:min(len(r.Failures), report.MaxFailures-1)]) // one more will find its place
	for total := len(r.Statistics); ; {
		document, err := r.Marshal()
		if !errors.Is(err, report.ErrTooLarge) || len(r.Statistics) == 0 {
			return document, err
		}
		r.Statistics = r.Statistics[:len(r.Statistics)*3/4]
		reason := fmt.Sprintf("it was too large: %d of %d statistics were left out", total-len(r.Statistics), total)
		r.Failures = append(failures, report.Failure{Source: "report", Reason: reason})
	}
}

// logReport writes what became of the pass. The failures are in the report; the log repeats only some, so that it can
// never fill a pipe that nobody reads.
func logReport(log *slog.Logger, r *report.Report, size int, took time.Duration) {
	const shown, length = 10, 200
	for _, f := range r.Failures[:min(len(r.Failures), shown)] {
		log.Warn("source failed", "visit", r.Visit, "source", f.Source, "err", report.Visible(f.Reason, length))
	}
	records := 0
	for i := range r.Logs {
		records += len(r.Logs[i].Records)
	}
	log.Info("report delivered", "visit", r.Visit, "statistics", len(r.Statistics), "records", records,
		"failures", len(r.Failures), "bytes", size, "took", took.Round(time.Microsecond))
}
