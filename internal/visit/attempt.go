package visit

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"time"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

const (
	// firstSample is the window over which a client measures rates where there is no earlier visit to compare with.
	firstSample = 250 * time.Millisecond
	// farewell bounds what is done for good order's sake when the visit has what it wants, or can't get it.
	farewell = 2 * time.Second
	// inquiry bounds the question why a client did not report.
	inquiry = 10 * time.Second
	// courtesy is how long a client that has delivered its report may take to end by itself.
	courtesy = 500 * time.Millisecond
	// skewed is the difference between a host's clock and ours that is worth a line in the log.
	skewed = time.Minute
)

// attempt is one visit under way.
type attempt struct {
	*Visitor
	host   Host
	log    *slog.Logger
	visit  *Visit
	known  memory         // of the host; what this visit learns goes into it
	report *report.Report // nil until it was checked

	conn   *remote.Conn
	tasks  sync.WaitGroup // readers of the client's log
	words  transcript     // the client's log, and what came before the report
	secret secret         // what the host is not to make us write down
	clock  stopwatch
	trace  tracer
}

// run goes through the stages, within the visit's deadline.
func (a *attempt) run(ctx context.Context) error {
	if err := a.host.check(); err != nil {
		return err
	}
	ctx, cancel := within(ctx, "the visit", a.host.Deadlines.Visit)
	defer cancel()
	if err := a.connect(ctx); err != nil {
		return err
	}
	p, err := a.collect(ctx)
	if err != nil {
		return err
	}
	if len(p.request.Logs) == 0 {
		a.disconnect() // the host has done its part
	}
	if a.report, err = a.unpack(ctx, p); err != nil {
		return err
	}
	a.count(a.report, p.read)
	a.noteReport()
	a.bringLogs(ctx, p)
	return nil
}

func (a *attempt) connect(ctx context.Context) (err error) {
	a.begin(failure.Dial)
	a.conn, err = remote.Dial(ctx, remote.Options{
		Host:      a.host.Name,
		Address:   a.host.Address,
		Port:      a.host.Port,
		KnownAs:   a.host.KnownAs,
		User:      a.host.User,
		Signers:   a.host.Signers,
		Agent:     a.host.Agent,
		Password:  a.host.Password,
		Passwords: a.host.Passwords,
		Methods:   a.host.Methods,
		HostKeys:  a.host.HostKeys,
		Deadlines: remote.Deadlines{
			Dial: a.host.Deadlines.Dial, Handshake: a.host.Deadlines.Handshake, Authentication: a.host.Deadlines.Authentication,
		},
		Through: a.host.Through,
		OnStage: a.begin,
		OnEvent: a.trace.event(),
	})
	if err == nil {
		a.open.Add(1)
	}
	return explain(ctx, a.clock.stage, err)
}

// collect runs the client for the first part and fetches what it has sealed. If it is gone from where it is remembered to be,
// it is deployed again, once. If it is gone from where it was just deployed, that is the failure; if it is there, and only the
// host did not find or open it, as where a virus scanner still looks at a new file, it is run again, once. One that is installed
// is run where the configuration says, and nothing is asked of the host before.
func (a *attempt) collect(ctx context.Context) (_ *parcel, err error) {
	if a.host.Client != "" {
		if a.known.installed, err = deploy.Standing(a.host.Client); err != nil {
			return nil, err
		}
		return a.fetch(ctx, a.request(ctx, 0))
	}
	if (a.known.installed != deploy.Installed{}) {
		parcel, err := a.fetch(ctx, a.request(ctx, 0))
		if !hasEnded(err) {
			return parcel, err
		}
		a.log.Info("the client does not run where it was: deploying it again", "err", a.secret.cover(err))
	}
	if err := a.deploy(ctx); err != nil {
		return nil, err
	}
	parcel, err := a.fetch(ctx, a.request(ctx, 0))
	if hasEnded(err) {
		err = a.lookFor(ctx, err)
	}
	if isUnrun(err) {
		a.log.Info("the client is there, and the host did not find it: running it again", "err", a.secret.cover(err))
		return a.fetch(ctx, a.request(ctx, 0))
	}
	return parcel, err
}

// isUnrun tells whether err is that of a client that never ran, as far as the host says.
func isUnrun(err error) bool {
	var none *noReport
	return errors.As(err, &none) && none.unrun
}

// hasEnded tells whether err is that of a client that ended by itself: it might be that it was not there.
func hasEnded(err error) bool {
	var none *noReport
	return errors.As(err, &none) && none.ended
}

// lookFor returns why the client ended without a report if that is because it is gone, otherwise err.
func (a *attempt) lookFor(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(ctx, inquiry)
	defer cancel()
	gone := a.clients.Gone(ctx, a.conn, a.known.installed)
	if gone == nil {
		return err
	}
	return &failure.Error{Stage: failure.Run, Kind: gone.Kind, Advice: gone.Advice, Err: gone.Err}
}

// deploy finds out the platform, unless it is known, and puts the client there.
func (a *attempt) deploy(ctx context.Context) error {
	a.known.installed = deploy.Installed{}
	if (a.known.platform == deploy.Platform{}) {
		err := a.stage(ctx, failure.Platform, a.host.Deadlines.Platform, func(ctx context.Context) (err error) {
			a.known.platform, err = deploy.Detect(ctx, a.conn)
			return err
		})
		if err != nil {
			return err
		}
		a.trace.note("platform", "the host is "+a.known.platform.String())
	}
	return a.stage(ctx, failure.Deploy, a.host.Deadlines.Deploy, func(ctx context.Context) (err error) {
		a.known.installed, err = a.clients.Install(ctx, a.conn, a.known.platform, a.host.Directory)
		a.visit.Uploaded = a.visit.Uploaded || a.known.installed.Uploaded
		return err
	})
}

// request makes the request of a part of this visit. Each call has a key and a nonce of its own. A client reads logs in up
// to half of its time, which is to be over well before the stage in which it does: a log that is slow costs itself, and
// not the visit.
func (a *attempt) request(ctx context.Context, part int) report.Request {
	r := report.Request{Visit: a.visit.ID, Host: a.host.Name, Deadline: a.clientDeadline(), Part: part}
	rand.Read(r.Key[:])                 // never fails: crypto/rand ends the program instead
	rand.Read(r.Nonce[:len(r.Nonce)-4]) // the rest counts parts
	if a.host.Logs != nil {
		r.Logs = a.host.Logs.Requests()
	}
	if run := a.host.Deadlines.Run; len(r.Logs) > 0 && run > 0 {
		r.Deadline = min(r.Deadline, run*8/5)
	}
	if part > 0 {
		r.Deadline = min(r.Deadline, timeLeft(ctx))
		return r
	}
	r.Records, r.Bytes = FirstRecords, FirstBytes
	if a.known.counters.empty() {
		r.Sample = firstSample
	}
	if a.host.Transfer == File {
		r.File = report.FilePrefix + a.visit.ID
	}
	return r
}

// clientDeadline is when the client gives up on its own, should it never learn that its visit has ended.
func (a *attempt) clientDeadline() time.Duration {
	d := a.host.Deadlines
	limit := d.Run + d.Receive
	if d.Run == 0 || d.Receive == 0 || d.Visit > 0 && d.Visit < limit {
		limit = d.Visit
	}
	return min(limit, report.MaxDeadline)
}

// fetch runs the client once, from the request to its last word.
func (a *attempt) fetch(ctx context.Context, request report.Request) (_ *parcel, err error) {
	p := &parcel{request: request}
	began := a.now()
	file := ""
	if p.request.File != "" {
		file = path.Join(a.known.installed.Directory, p.request.File)
		defer func() {
			if err != nil {
				a.remove(ctx, file)
			}
		}()
	}
	var session *session
	var frame *report.Frame
	err = a.stage(ctx, failure.Run, a.host.Deadlines.Run, func(limited context.Context) (err error) {
		if file != "" { // what can't be fetched is not to be written
			if _, err := a.conn.Files(limited); err != nil {
				return withoutSFTP(err)
			}
		}
		if session, err = a.start(ctx, &p.request); err != nil {
			return err
		}
		frame, err = session.header()
		return err
	})
	if err != nil {
		return nil, a.puzzled(err)
	}
	p.read, p.sum = a.now(), sum(frame.SHA256[:len(sum{})])
	a.words.note(frame.Noise)
	err = a.stage(ctx, failure.Receive, a.host.Deadlines.Receive, func(ctx context.Context) (err error) {
		switch {
		case frame.File != (file != ""):
			err = &unasked{file: frame.File}
		case frame.File:
			p.sealed, err = a.download(ctx, frame, file)
		default:
			p.sealed, err = frame.ReadBody(session.stdout)
		}
		return err
	})
	if err == nil {
		a.trace.note("received", fmt.Sprintf("a sealed report of %d bytes", len(p.sealed)))
	}
	a.takeLeave(ctx, session, err == nil && file == "")
	p.size, p.took = len(p.sealed), a.now().Sub(began)
	return p, err
}

// start starts the client and sends it the request. The process ends with ctx, or with the connection.
func (a *attempt) start(ctx context.Context, request *report.Request) (*session, error) {
	line, err := request.Encode()
	if err != nil {
		return nil, failure.New(failure.Run, failure.Configuration, err)
	}
	command := a.known.installed.Command
	if a.host.Sudo {
		command = deploy.WithSudo(command)
	}
	a.trace.note("client", "running "+command+", with the request on its standard input")
	process, err := a.conn.Start(ctx, command)
	if err != nil {
		return nil, err
	}
	s := &session{
		process: process, stdout: bufio.NewReader(process.Stdout), words: &a.words, heard: make(chan struct{}),
		installed: a.host.Client != "", sudo: a.host.Sudo,
	}
	a.words.conceal(string(line))
	a.tasks.Go(func() {
		defer close(s.heard)
		a.words.listen(process.Stderr)
	})
	// A client that reads nothing has ended, or never began: what it says instead is to be heard first.
	_, _ = process.Stdin.Write(append(line, '\n'))
	return s, nil
}

// download fetches a report that lies in a file, and removes it.
func (a *attempt) download(ctx context.Context, frame *report.Frame, file string) ([]byte, error) {
	files, err := a.conn.Files(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := files.Download(ctx, file, report.MaxFrame)
	if err != nil {
		return nil, err
	}
	if err := frame.Check(sealed); err != nil {
		return nil, err
	}
	if err := files.Remove(ctx, file); err != nil {
		a.log.Warn("the report's file stays on the host", "file", file, "err", a.secret.cover(err))
	}
	return sealed, nil
}

// remove removes a report's file after a failure, if there is one and the connection still lives.
func (a *attempt) remove(ctx context.Context, file string) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if files, err := a.conn.Files(ctx); err == nil {
		_ = files.Remove(ctx, file)
	}
}

// disconnect closes the connection and waits for all that hangs on it. Further calls do nothing.
func (a *attempt) disconnect() {
	if a.conn == nil {
		return
	}
	_ = a.conn.Close()
	a.open.Add(-1)
	a.tasks.Wait()
	a.visit.Sent, a.visit.Received = a.conn.Traffic()
	a.conn = nil
}

// finish completes the visit, which has gone through its stages or has ended early with err.
func (a *attempt) finish(err error) error {
	v := a.visit
	if err != nil {
		a.fail(err)
	} else {
		v.Report = a.report
	}
	v.Log = a.words.String()
	if v.Log != "" {
		a.trace.note("log", "the client's log, and what came before the report:\n"+v.Log)
	}
	v.Stages, v.Took = a.clock.stop(a.now()), a.now().Sub(v.Started)
	return nil
}

// fail makes a failed visit of it, whatever it was.
func (a *attempt) fail(err error) {
	failed := *classify(a.clock.stage, err)
	failed.Host = a.host.Name
	failed.Err, failed.Advice = a.secret.cover(failed.Err), a.secret.hide(failed.Advice)
	a.visit.Report, a.visit.Failure, a.visit.acknowledge = nil, &failed, nil
	a.known.doubt(&failed)
}
