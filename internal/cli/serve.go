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
visits under way are cancelled and what was brought home is stored and mailed, within 30 seconds; a second signal ends
the process at once. What happens is in the log.

Exit status: 0 stopped; 2 usage or configuration; 3 the database or the mail server could not be used.`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadFleet()
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
