package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/health"
	"muster/internal/jump"
	"muster/internal/mail"
	"muster/internal/passwords"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/visit"
)

// CheckOptions say what to check. Config and Clients are required.
type CheckOptions struct {
	Config    *config.Config
	Hosts     []config.Host // of the configuration, to be visited
	HostsOnly bool          // leave out what the server itself needs
	Clients   *deploy.Clients
	Logger    *slog.Logger     // of the visits; nil: nothing is logged
	Observer  visit.Observer   // told of the visits as of a sweep; nil: nobody is
	OnStep    func(visit.Step) // told of each visit's steps, from several goroutines where there are several hosts; may be nil
}

// Checked is what a check found.
type Checked struct {
	Took      time.Duration
	Visits    []*visit.Visit // in the order of the hosts; those that did not begin are left out
	Parts     []Part         // of the server itself, in the order of the data's way
	Cancelled bool           // ctx ended before everything was checked
}

// Part is something that the server itself needs.
type Part struct {
	Name   string // queue database mail
	Detail string // where and how it is, for people
	Err    error  // why it can't be used; nil: it can
	Advice string // one sentence in the imperative, where Err is not nil
}

// Check visits hosts, once each, and looks whether queue, database and mail server could be used. Nothing is kept: no
// report is stored, held against limits or mailed, nothing is created or migrated, and what it finds the caller alone is told. It
// needs no lock of the data directory, and may be made beside a server that is at work on it. It returns when all is
// done or ctx has ended.
func Check(ctx context.Context, o CheckOptions) *Checked {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	c := new(Checked)
	var checking sync.WaitGroup
	if !o.HostsOnly {
		c.Parts = make([]Part, 3)
		for i, check := range []func(context.Context, *config.Config) Part{checkQueue, checkDatabase, checkMail} {
			checking.Go(func() { c.Parts[i] = check(ctx, o.Config) })
		}
	}
	checking.Go(func() { c.Visits = checkHosts(ctx, &o) })
	checking.Wait()
	c.Cancelled = ctx.Err() != nil
	c.Took = time.Since(began)
	return c
}

// forgetful is a table of refused passwords for one check, or one look at host keys: a person asks, so what was refused before
// is tried again, but within it a password is not sent to host after host that refuses it.
type forgetful struct{}

func (forgetful) All(context.Context) (map[string][]byte, error) { return nil, nil }
func (forgetful) Put(context.Context, string, []byte) error      { return nil }
func (forgetful) Delete(context.Context, string) error           { return nil }

// glance looks whether a host's logs can be read, as a first visit would begin to. It keeps nothing, and moves no cursor. It is
// a visit.Logs.
type glance struct{ host *config.Host }

// Requests asks for the beginning of each channel, under a number that no epoch keeps.
func (g glance) Requests() []report.LogRequest {
	requests := wanted(g.host)
	for i := range requests {
		requests[i].Fresh = 1
	}
	return requests
}

// Keep keeps nothing.
func (glance) Keep(context.Context, *visit.Part) error { return nil }

// Continue says that the first part is enough.
func (glance) Continue() (release func(), ok bool) { return nil, false }

// checkHosts visits the hosts, at most as many at once as the server would.
func checkHosts(ctx context.Context, o *CheckOptions) []*visit.Visit {
	guard, err := passwords.New(ctx, passwords.Options{Table: forgetful{}, Logger: o.Logger, Now: time.Now})
	if err != nil {
		return nil // ctx has ended: the table has nothing to fail with
	}
	guard.SetAccounts(accounts(o.Hosts))
	pool := jump.New(jump.Options{Logger: o.Logger})
	defer func() { _ = pool.Close() }()
	pass := newHosts(guard, pool, o.Logger).pass()
	visitor := visit.New(visit.Options{Clients: o.Clients, Logger: o.Logger, OnStep: o.OnStep})
	sweep := visit.Sweep{Time: time.Now().UTC().Truncate(time.Millisecond), Hosts: len(o.Hosts)}
	var observers visit.Observers
	if o.Observer != nil {
		observers = append(observers, o.Observer)
	}
	told := context.WithoutCancel(ctx)
	observers.SweepStarted(told, sweep)
	visits := make([]*visit.Visit, len(o.Hosts))
	slots := make(chan struct{}, o.Config.Server.Parallel)
	var visiting sync.WaitGroup
	for i := range o.Hosts {
		place := &visits[i]
		host, unusable := pass.resolve(&o.Hosts[i])
		if len(o.Hosts[i].Logs) > 0 {
			host.Logs = glance{&o.Hosts[i]}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		visiting.Go(func() {
			defer func() { <-slots }()
			if unusable != nil {
				*place = visit.Failed(host, sweep.Time, unusable)
			} else {
				*place = visitor.Visit(ctx, host, sweep.Time)
			}
			observers.Visited(told, *place)
		})
	}
	visiting.Wait()
	_ = observers.SweepEnded(told, sweep) // whoever watches has nothing to lose
	return slices.DeleteFunc(visits, func(v *visit.Visit) bool {
		return v == nil || v.Failure != nil && v.Failure.Kind == failure.Cancelled
	})
}

// checkQueue looks whether there is room for a queue, or asks the cluster for its own; and, where a server is at work,
// whether that has anything to complain of.
func checkQueue(ctx context.Context, c *config.Config) Part {
	p := Part{Name: "queue"}
	if p.Err = writable(c.Server.Data); p.Err != nil {
		p.Detail, p.Advice = c.Server.Data, "let the user who runs muster write to the data directory, or name another with <server data=…/>"
		return p
	}
	p.Detail, p.Err = queue.Check(ctx, queueOptions(c, slog.New(slog.DiscardHandler), time.Now))
	switch {
	case p.Err == nil:
	case errors.Is(p.Err, queue.ErrKey):
		p.Advice = "put the key back from a backup: what is in the queue can't be read without it"
	case errors.Is(p.Err, queue.ErrFull):
		p.Advice = "make room on the disk of the data directory: while it is full, reports are refused"
	case len(c.Queue.URLs) > 0:
		p.Advice = "check the cluster's servers, that they have JetStream, and url, user and password of <queue>"
	default:
		p.Advice = "see to the data directory"
	}
	if p.Err == nil {
		p.askServer(ctx, c)
	}
	return p
}

// askServer adds what the server says that is at work on the data directory, if there is one.
func (p *Part) askServer(ctx context.Context, c *config.Config) {
	status, err := health.Ask(ctx, c.Server.Data)
	switch {
	case err != nil:
	case status.Facts != nil && status.Facts.Queue.Refusing != "":
		p.Err = fmt.Errorf("the server that runs refuses new reports: %s", status.Facts.Queue.Refusing)
		p.Advice = "see what waits in the queue, and why, with muster status"
	default:
		p.Detail += "; a server runs since " + status.Started.Local().Format(time.DateTime)
	}
}

// checkDatabase looks whether the database can be read and takes rows, as far as that can be told without making one.
func checkDatabase(ctx context.Context, c *config.Config) Part {
	p := Part{Name: "database", Detail: c.Database.URL}
	database, err := store.Open(ctx, store.Options{
		URL: c.Database.URL, Password: c.Database.Password.Reveal(), Logger: slog.New(slog.DiscardHandler), AsIs: true,
	})
	if err == nil {
		defer func() { _ = database.Close() }()
		p.Detail = database.String()
		if v := database.Version(); v.Now == v.Program {
			err = database.Probe(ctx)
			p.Detail += fmt.Sprintf(", version %d", v.Now)
		} else {
			p.Detail += fmt.Sprintf(", of version %d: the first sweep brings it to version %d", v.Now, v.Program)
		}
	}
	switch file, isFile := strings.CutPrefix(c.Database.URL, "sqlite:"); {
	case err == nil:
		return p
	case errors.Is(err, store.ErrMissing) && isFile:
		p.Err, p.Detail = writable(filepath.Dir(file)), c.Database.URL+": the first sweep creates it"
		p.Advice = "let the user who runs muster write to this folder, or name another database with <database url=…/>"
		return p
	case errors.Is(err, store.ErrMissing):
		p.Detail += ": the first sweep creates it, if the user may"
		return p
	}
	p.Err = err
	switch {
	case errors.Is(err, store.ErrNewer):
		p.Advice = "update this muster, or name another database"
	case errors.Is(err, store.ErrURL):
		p.Advice = "correct url of <database>"
	case errors.Is(err, store.ErrDenied):
		p.Advice = "correct user and password of <database>, or give the user the rights; until then reports wait in the queue"
	default:
		p.Advice = "see to the database, or correct <database>; until then reports wait in the queue"
	}
	return p
}

// checkMail talks with the mail server up to the login. Nothing is sent.
func checkMail(ctx context.Context, c *config.Config) Part {
	p := Part{Name: "mail", Detail: "no mail server is configured: alerts are logged and stored"}
	if c.Mail == nil {
		return p
	}
	p.Detail = fmt.Sprintf("%s, port %d", c.Mail.Host, c.Mail.Port)
	sender, err := mailSender(c.Mail)
	if err == nil {
		err = sender.Check(ctx)
	}
	if err != nil {
		p.Err, p.Advice = err, "correct <mail>"
		var failed *mail.Error
		if errors.As(err, &failed) {
			p.Advice = failed.Help()
		}
	}
	return p
}

// writable tells whether a file can be made in a folder, or, where there is no such folder, in the nearest above it that
// there is.
func writable(folder string) error {
	for {
		info, err := os.Stat(folder)
		above := filepath.Dir(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist) && above != folder:
			folder = above
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", folder)
		}
		break
	}
	file, err := os.CreateTemp(folder, ".muster-check-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
