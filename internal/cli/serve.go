package cli

import (
	"context"
	"errors"
)

type serveCommand struct {
	configFlag
}

// Help is shown by muster serve --help.
func (serveCommand) Help() string {
	return `Makes a sweep at once and then one at every interval that the configuration names, until SIGINT or SIGTERM. Then
visits under way are cancelled; what is not stored or mailed yet is at the next start. A second signal ends the process
at once, which loses nothing either. What happens is in the log.

While the database or the mail server is away, reports and mails wait in the data directory.

Exit status: 0 stopped; 2 usage or configuration; 3 the data directory, the queue, or another thing that it takes, could not
be used at the start; what goes wrong later is logged.`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadFleet(ctx)
	if err != nil {
		return err
	}
	s, err := openServer(ctx, env, cfg, nil)
	if err != nil {
		return err
	}
	err = s.controller.Serve(ctx)
	s.log.Info("stopped")
	return errors.Join(err, s.Close())
}
