package cli

import (
	"context"
	"fmt"

	"muster/internal/controller"
)

// queueCommand groups what can be done with the queue.
type queueCommand struct {
	Retry queueRetryCommand `cmd:"" help:"Put what could not be stored back into the queue."`
}

type queueRetryCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown by muster queue retry --help.
func (queueRetryCommand) Help() string {
	return `What could not be stored, and why, is shown by "muster status". Once the reason is gone, this puts it back into the
queue, of the server that runs or for the next one. What still can't be stored comes back.

Exit status: 0 done; 2 usage or configuration; 3 the queue could not be used.`
}

// Run puts the dead letters back.
func (c queueRetryCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	n, err := controller.RetryDead(ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(env.Stdout, struct {
			Retried int `json:"retried"`
		}{n})
	}
	_, err = fmt.Fprintf(env.Stdout, "%s put back into the queue\n", count(n, "report"))
	return err
}
