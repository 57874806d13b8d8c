package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/cursors"
	"muster/internal/health"
	"muster/internal/outbox"
	"muster/internal/queue"
	"muster/internal/report"
)

// Facts returns how queue, database, mails and alerts are. It asks none of them.
func (p *pipeline) Facts(context.Context) (health.Facts, error) {
	q, r := p.queue.State(), p.recorder.State()
	f := health.Facts{
		Queue: health.Queue{Bytes: q.Bytes, Limit: q.Size, Refused: q.Refused, DeadLetters: int64(q.Dead)},
		Database: health.Database{
			AwaySince: r.Away, Rows: r.Rows, Batches: r.Batches,
		},
	}
	if r.Reason != nil {
		f.Database.Reason = report.Visible(r.Reason.Error(), 1000)
	}
	if q.Full || !q.Available {
		f.Queue.Refusing = q.Reason
	}
	for _, name := range []string{storeReader, alertReader} {
		b := q.Readers[name]
		f.Queue.Consumers = append(f.Queue.Consumers, health.Consumer{Name: name, Waiting: int64(b.Entries), Oldest: b.Oldest})
	}
	if o := p.parts.Load().outbox; o != nil {
		m := o.State()
		f.Mail = health.Mail{Sent: m.SentTotal, Retried: m.Retries, Refused: m.RefusedTotal, Waiting: m.Waiting, Oldest: m.Oldest}
	}
	f.Logs = logFacts(p.cursors.Concerns())
	f.Logs.Stored = r.Records
	if p.logs != nil {
		f.Logs.Records, f.Logs.Paused = p.logs.records.Load(), p.logs.isPaused()
	}
	hosts, reason := p.mirror.state()
	if f.Logs.Waiting = hosts; hosts > 0 && reason != nil {
		f.Logs.Reason = report.Visible(reason.Error(), 1000)
	}
	f.Alerts.Firing, f.Alerts.Pending = p.watch.Open()
	if p.connections != nil {
		f.Connections = p.connections()
	}
	return f, nil
}

// logFacts counts what is of concern about the logs.
func logFacts(concerns []cursors.Concern) (f health.Logs) {
	behind := make(map[string]bool)
	for i := range concerns {
		if !concerns[i].Behind.IsZero() {
			behind[concerns[i].Host] = true
		}
		if concerns[i].Trouble != "" {
			f.Trouble++
		}
	}
	f.Behind = len(behind)
	return f
}

// Undone is what waits for a person: what could not be stored or mailed.
type Undone struct {
	Dead []DeadLetter      `json:"dead_letters,omitempty"` // the oldest, some of them
	Mail *outbox.State     `json:"mail,omitempty"`         // nil: no mail server
	Logs []cursors.Concern `json:"logs,omitempty"`         // channels that are behind or can't be read, some of them
}

// DeadLetter is something that can't be stored.
type DeadLetter struct {
	Kind   string    `json:"kind"`
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	Buried time.Time `json:"buried"`
}

// maxDead and maxConcerns are how many dead letters are shown, and channels.
const (
	maxDead     = 20
	maxConcerns = 1000
)

func (p *pipeline) undone(ctx context.Context) (Undone, error) {
	var u Undone
	dead, err := p.queue.DeadLetters(ctx, maxDead)
	if err != nil {
		return u, err
	}
	for _, d := range dead {
		u.Dead = append(u.Dead, DeadLetter{Kind: d.Kind, ID: d.ID, Reason: d.Reason, Buried: d.Buried})
	}
	if o := p.parts.Load().outbox; o != nil {
		m := o.State()
		u.Mail = &m
	}
	u.Logs = p.cursors.Concerns()
	u.Logs = u.Logs[:min(len(u.Logs), maxConcerns)]
	return u, nil
}

// The paths, below health.BaseURL, of what the control socket alone answers.
const (
	pathUndone = "/undone"
	pathRetry  = "/queue/retry"
	pathLogin  = "/login/retry"
)

// retried is the answer to a retry.
type retried struct {
	Retried int    `json:"retried"`
	Error   string `json:"error,omitempty"`
}

// control answers at the control socket what only those who own the data directory may ask.
func (p *pipeline) control(h *health.Health) {
	h.Handle("GET "+pathUndone, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := p.undone(r.Context())
		answer(w, u, err)
	}))
	h.Handle("POST "+pathRetry, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := p.queue.Retry(r.Context())
		result := retried{Retried: n}
		if err != nil {
			result.Error = err.Error()
		}
		answer(w, result, nil)
	}))
	h.Handle("POST "+pathLogin, http.HandlerFunc(p.loginRetry))
}

// loginRetry answers a request to let refused passwords be sent again.
func (p *pipeline) loginRetry(w http.ResponseWriter, r *http.Request) {
	var asked loginRetry
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	freed, err := p.guard.Retry(r.Context(), asked.Hosts...)
	if p.due != nil {
		p.due(freed...) // who asks does not want to wait
	}
	result := loginRetry{Hosts: freed}
	if err != nil {
		result.Error = err.Error()
	}
	answer(w, result, nil)
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who has gone away needs no answer
}

// serve answers at the control socket and, where the configuration says so, at a port, until ctx ends. The
// returned function waits for that. A control socket that can't be had costs "muster status" what the server knows, and
// nothing else; a port that was asked for has to be had.
func (p *pipeline) serve(ctx context.Context) (wait func(), err error) {
	var serving sync.WaitGroup
	server := p.parts.Load().config.Server
	if server.Listen != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", server.Listen)
		if err != nil {
			return nil, fmt.Errorf("health and metrics: %s %w: %w", server.Listen, ErrUnusable, err)
		}
		p.log.InfoContext(ctx, "health and metrics are served", "listen", l.Addr().String())
		serving.Go(func() { p.served(p.health.Serve(ctx, l)) })
	}
	l, err := health.ListenControl(server.Data)
	if err != nil {
		p.log.WarnContext(ctx, "muster status and muster queue can't ask this server", "err", err)
	} else {
		serving.Go(func() { p.served(p.health.ServeControl(ctx, l)) })
	}
	return serving.Wait, nil
}

func (p *pipeline) served(err error) {
	if err != nil {
		p.log.Error("health and metrics are not served any more", "err", err)
	}
}

// newHealth returns what watches the visits for those who ask.
func newHealth(p *pipeline, o Options) *health.Health {
	h := health.New(health.Options{
		Source: p, Version: o.Version, Interval: o.Config.Server.Interval, Backoff: o.Config.Server.Backoff,
		Logger: o.Logger, Now: o.Now,
	})
	h.SetHosts(healthHosts(o.Config))
	p.control(h)
	return h
}

// Overview is how the server is, for a person.
type Overview struct {
	Running *health.Status `json:"running,omitempty"` // nil: no server runs on the data directory
	Serving *Serving       `json:"serving,omitempty"` // likewise
	Facts   health.Facts   `json:"facts"`
	Undone  Undone         `json:"undone"`
}

// Inspect tells how the server is that runs on the data directory of the configuration, or, where none does, what waits
// there. It returns nil where there is nothing yet. Errors wrap ErrUnusable where a part could not be used.
func Inspect(ctx context.Context, c *config.Config) (*Overview, error) {
	status, err := health.Ask(ctx, c.Server.Data)
	switch {
	case errors.Is(err, health.ErrNotRunning), errors.Is(err, health.ErrPathTooLong):
		return inspectFiles(ctx, c)
	case err != nil:
		return nil, fmt.Errorf("server %w: %w", ErrUnusable, err)
	}
	o := &Overview{Running: status}
	if status.Facts != nil {
		o.Facts = *status.Facts
	}
	err = ask(ctx, c.Server.Data, http.MethodGet, pathUndone, &o.Undone)
	if err == nil {
		err = ask(ctx, c.Server.Data, http.MethodGet, pathServing, &o.Serving)
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// inspectFiles opens what a server left.
func inspectFiles(ctx context.Context, c *config.Config) (_ *Overview, err error) {
	if !hasQueue(c) {
		return nil, nil
	}
	lock, err := lockData(c.Server.Data)
	if err != nil {
		return nil, fmt.Errorf("data directory %s %w: %w", c.Server.Data, ErrUnusable, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	p, err := newPipeline(ctx, Options{Config: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	defer func() { err = errors.Join(err, p.Close()) }()
	if err != nil {
		return nil, err
	}
	o := new(Overview)
	if o.Facts, err = p.Facts(ctx); err != nil {
		return nil, err
	}
	o.Undone, err = p.undone(ctx)
	return o, err
}

// RetryDead puts what could not be stored back into the queue, of the server that runs on the data directory or of none,
// and returns how many entries. Errors wrap ErrUnusable.
func RetryDead(ctx context.Context, c *config.Config) (n int, err error) {
	var result retried
	err = ask(ctx, c.Server.Data, http.MethodPost, pathRetry, &result)
	switch {
	case err == nil && result.Error != "":
		return result.Retried, fmt.Errorf("queue %w: %s", ErrUnusable, result.Error)
	case err == nil:
		return result.Retried, nil
	case !errors.Is(err, health.ErrNotRunning) && !errors.Is(err, health.ErrPathTooLong):
		return 0, err
	case !hasQueue(c):
		return 0, nil
	}
	lock, err := lockData(c.Server.Data)
	if err != nil {
		return 0, fmt.Errorf("data directory %s %w: %w", c.Server.Data, ErrUnusable, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	q, err := OpenQueue(ctx, c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	if n, err = q.Retry(ctx); err != nil {
		err = fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return n, err
}

// hasQueue reports whether there is a queue that can be opened without making one.
func hasQueue(c *config.Config) bool {
	return len(c.Queue.URLs) > 0 || queue.Exists(queueFolder(c))
}

// ask asks the server that runs on a data directory.
func ask(ctx context.Context, folder, method, path string, into any) error {
	return askWith(ctx, folder, method, path, nil, into)
}

// askWith asks it with a request that is more than its path.
func askWith(ctx context.Context, folder, method, path string, what, into any) error {
	var body io.Reader
	if what != nil {
		content, err := json.Marshal(what)
		if err != nil {
			return err
		}
		body = bytes.NewReader(content)
	}
	request, err := http.NewRequestWithContext(ctx, method, health.BaseURL+path, body)
	if err != nil {
		return err
	}
	response, err := health.Dial(folder).Do(request)
	if err != nil {
		return fmt.Errorf("server %w: %w", ErrUnusable, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("server %w: it answers %s", ErrUnusable, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("server %w: its answer can't be read: %w", ErrUnusable, err)
	}
	return nil
}
