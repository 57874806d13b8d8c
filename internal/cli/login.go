package cli

import (
	"context"
	"fmt"
	"strings"

	"muster/internal/config"
	"muster/internal/controller"
)

// loginCommand groups what can be done about logins.
type loginCommand struct {
	Retry loginRetryCommand `cmd:"" help:"Let passwords be sent again that were refused."`
}

type loginRetryCommand struct {
	configFlag
	JSON  bool     `help:"Print JSON."`
	Hosts []string `arg:"" optional:"" name:"HOST" help:"Names of hosts. Default: all."`
}

// Help is shown by muster login retry --help.
func (loginRetryCommand) Help() string {
	return `A password that a host refused is not sent to it again until the configuration changes, so that no account is locked. One
that three hosts refused, or that was not answered six times, and that none accepted, is not sent to any further host. Once
the reason is gone, this lets it be sent again at the next visit, by the server that runs or by the next one. With a shared
password name one host of which you are sure: when it accepts the password, the others are visited too.

Exit status: 0 done; 2 usage or configuration; 3 the queue could not be used.`
}

// Run forgets refusals.
func (c loginRetryCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.load(ctx)
	if err != nil {
		return err
	}
	if err := checkNames(cfg, c.Hosts); err != nil {
		return err
	}
	freed, err := controller.RetryLogins(ctx, cfg, c.Hosts)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(env.Stdout, struct {
			Hosts []string `json:"hosts"`
		}{append([]string{}, freed...)})
	}
	if len(freed) == 0 {
		_, err = fmt.Fprintln(env.Stdout, "no password is withheld from these hosts")
		return err
	}
	for i := range freed {
		freed[i] = printable(freed[i])
	}
	_, err = fmt.Fprintf(env.Stdout, "at the next visit the password is sent again to: %s\n", strings.Join(freed, ", "))
	return err
}

// checkNames refuses names that neither a host has nor a machine on the way to one.
func checkNames(cfg *config.Config, names []string) error {
	all := make(map[string]bool)
	for i := range cfg.Hosts {
		for c := &cfg.Hosts[i]; c != nil && !all[c.Name]; c = c.Via {
			all[c.Name] = true
		}
	}
	for _, name := range names {
		if !all[name] {
			return misuse(fmt.Errorf("no host is called %q in %s", name, cfg.File))
		}
	}
	return nil
}
