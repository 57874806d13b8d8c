package cli

import (
	"context"
	"fmt"
	"strings"

	"muster/internal/controller"
)

type reloadCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown by muster reload --help.
func (reloadCommand) Help() string {
	return `Has the server that runs on the configuration's data directory read its configuration anew, and visit in the next sweep
the hosts that it leaves alone because they fail. Visits under way go on, and hosts that stay as they are, are not
disturbed. A configuration with mistakes is refused, by this command or by the server: they are printed, and the configuration
in use goes on.

What can't be changed while the server runs is named: <queue>, and of <server> data, listen and log-format. It needs a restart,
which loses nothing.

Exit status: 0 done; 2 the configuration is refused, or usage; 3 no server runs, or it did not answer.`
}

// Run asks the server.
func (c reloadCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	r, err := controller.AskReload(ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(env.Stdout, r)
	}
	fmt.Fprintf(env.Stdout, "reloaded: %s: %d added, %d removed, %d changed\n", count(r.Hosts, "host"), r.Added, r.Removed, r.Changed)
	if r.Asked > 0 {
		fmt.Fprintf(env.Stdout, "%s that failed will be visited in the next sweep\n", count(r.Asked, "host"))
	}
	if len(r.Restart) > 0 {
		fmt.Fprintf(env.Stderr, "muster: these changes need a restart of the server, until then they are as before: %s\n",
			strings.Join(r.Restart, ", "))
	}
	return nil
}
