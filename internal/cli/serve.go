package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"muster/internal/config"
)

type serveCommand struct {
	configFlag
}

// Help is shown by muster serve --help.
func (serveCommand) Help() string {
	return `Makes a sweep at every interval that the configuration names, until SIGINT or SIGTERM: the first at once, or, where
the server was stopped less than an interval after its last one, when the next is due. Visits of a sweep begin over the
configuration's spread, each host at its own time; a host that fails again and again is visited less often, up to the
configuration's backoff. What happens is in the log.

SIGHUP has it read the configuration anew, as "muster reload" does, and open its log file anew. A configuration with mistakes
is refused: the one in use goes on. On a terminal that is closed SIGHUP ends the server.

When it is stopped, visits under way are cancelled; what is not stored or mailed yet is at the next start. A second signal
ends the process at once, which loses nothing either. While the database or the mail server is away, reports and mails wait
in the data directory.

As a service of systemd it says when it is ready, how it is, and that it is alive; see docs/service.md.

Exit status: 0 stopped; 2 usage or configuration; 3 the data directory, the queue, or another thing that it takes, could not
be used at the start; what goes wrong later is logged.`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, env Env) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	onTerminal := isTerminal(env.Stderr)
	load := c.fleetLoader()
	cfg, err := load(ctx)
	if err != nil {
		return err
	}
	s, err := openServer(ctx, env, cfg, opening{load: load, managed: true})
	if err != nil {
		return err
	}
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case <-hangup:
			case <-ctx.Done():
				return
			}
			if onTerminal && !isTerminal(env.Stderr) {
				s.log.Info("the terminal is closed")
				cancel()
				return
			}
			_, _ = s.controller.Reload(ctx, false) // which logs what is wrong
		}
	})
	err = s.controller.Serve(ctx)
	cancel()
	listening.Wait()
	s.log.Info("stopped")
	return errors.Join(err, s.Close())
}

// reloading reads the configuration of a server anew, and has its log follow. One goroutine at a time uses it.
type reloading struct {
	log     *logging
	load    func(context.Context) (*config.Config, error)
	waiting prepared // of a configuration that is not adopted yet
}

// read opens the log file anew, whatever becomes of the configuration, and reads that.
func (r *reloading) read(ctx context.Context) (*config.Config, error) {
	if err := r.log.reopen(); err != nil {
		r.log.Error("the log goes on in the file that was open", "err", err)
	}
	next, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	_ = r.waiting.Close() // that of one that was refused
	if r.waiting, err = r.log.prepare(next.Server); err != nil {
		return nil, err
	}
	tellWarnings(next, r.log.Logger, nil, false)
	return next, nil
}

// adopted has the log follow the configuration that was read last.
func (r *reloading) adopted() {
	p := r.waiting
	r.waiting = prepared{}
	if err := r.log.adopt(p); err != nil {
		r.log.Warn("the log file of before is not closed well", "err", err)
	}
}
