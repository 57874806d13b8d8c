package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/deploy"
	"muster/internal/visit"
)

type checkCommand struct {
	configFlag
	JSON bool     `help:"Print what was found as JSON."`
	Host []string `arg:"" optional:"" help:"Hosts or groups to check; default: all, and what the server needs. One host shows the whole conversation."`
}

// Help is shown by muster check --help.
func (checkCommand) Help() string {
	return `Checks the configuration, visits every host, and looks whether queue, database and mail server can be used. A visit goes
through all stages, uploads the client where it is missing, and reads a report; but nothing is stored, held against limits or
mailed. Of logs that are configured it looks whether they can be read, and keeps none of it. The database is not created or migrated. It may run beside "muster serve". A password that was refused before is sent
once more by each check: it is a person who asks.

Each problem is one line, with one of advice; hosts that fail for the same reason are one problem. docs/failures.md lists
the kinds of failure.

With hosts or groups only those are visited. With one host the whole conversation is shown: addresses, the host's version and
key, algorithms, how the login went, every command and file, the client's log, and the time of each stage; without secrets.

Exit status: 0 all well; 1 some hosts failed, or a log can't be read, or it was interrupted; 2 usage or configuration; 3 the queue, the database or
the mail server could not be used.`
}

// Run checks.
func (c checkCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.load(ctx)
	if err != nil {
		return c.mistaken(env, err)
	}
	hosts, err := chooseHosts(cfg.Hosts, c.Host)
	if err != nil {
		return err
	}
	clients, err := deploy.Embedded()
	if err != nil {
		return err
	}
	p := newProgress(env.Stderr)
	defer p.Close()
	o := controller.CheckOptions{Config: cfg, Hosts: hosts, HostsOnly: len(c.Host) > 0, Clients: clients, Observer: p}
	if len(c.Host) == 1 && len(hosts) == 1 {
		return c.converse(ctx, env, o)
	}
	checked := controller.Check(ctx, o)
	p.Close()
	problems := append(problemsOf(checked, hosts), logProblems(checked, hosts)...)
	if c.JSON {
		err = writeJSON(env.Stdout, checkJSONOf(cfg, checked, problems))
	} else {
		printChecked(env.Stdout, cfg, checked, problems)
	}
	return errors.Join(err, statusOfCheck(checked))
}

// mistaken prints the mistakes of a configuration where JSON is wanted; the exit status is that of err.
func (c checkCommand) mistaken(env Env, err error) error {
	var mistakes config.Mistakes
	if !c.JSON || !errors.As(err, &mistakes) {
		return err
	}
	result := checkResult{Mistakes: make([]string, 0, len(mistakes))}
	for _, m := range mistakes {
		result.Mistakes = append(result.Mistakes, m.String())
	}
	return errors.Join(writeJSON(env.Stdout, result), err)
}

// statusOfCheck is the error with the exit status that a check has; nil where all is well.
func statusOfCheck(c *controller.Checked) error {
	switch {
	case slices.ContainsFunc(c.Parts, func(p controller.Part) bool { return p.Err != nil }) && !c.Cancelled:
		return &exitError{status: exitUnusable}
	case c.Cancelled, slices.ContainsFunc(c.Visits, func(v *visit.Visit) bool { return v.Failure != nil || inTrouble(v) }):
		return &exitError{status: exitHosts}
	}
	return nil
}

// inTrouble tells whether a log of the host can't be read.
func inTrouble(v *visit.Visit) bool {
	return slices.ContainsFunc(v.Logs, func(l visit.ChannelRead) bool { return l.Trouble != nil })
}

// chooseHosts returns the hosts that are named, or lie in a group that is, in the order of the configuration; all where nothing is named.
func chooseHosts(hosts []config.Host, names []string) ([]config.Host, error) {
	if len(names) == 0 {
		return hosts, nil
	}
	var chosen []config.Host
	found := make(map[string]bool)
	for _, h := range hosts {
		wanted := false
		for _, name := range names {
			if h.Name == name || slices.Contains(h.Groups, name) {
				found[name], wanted = true, true
			}
		}
		if wanted {
			chosen = append(chosen, h)
		}
	}
	for _, name := range names {
		if !found[name] {
			return nil, misuse(unknownHost(hosts, name))
		}
	}
	return chosen, nil
}

// unknownHost says that there is no host and no group of a name, and which was probably meant.
func unknownHost(hosts []config.Host, name string) error {
	var known []string
	for _, h := range hosts {
		for hop := h.Via; hop != nil; hop = hop.Via {
			if hop.Name == name {
				return fmt.Errorf("%q is a jump host, which is gone through and not visited: check a host behind it, such as %s", name, h.Name)
			}
		}
		known = append(append(known, h.Name), h.Groups...)
	}
	hint := "muster check without a name checks all"
	if near := config.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return fmt.Errorf("the configuration has no host and no group %q: %s", name, hint)
}

// printChecked prints a line for each problem, with one of advice, what is well, and a summary.
func printChecked(w io.Writer, cfg *config.Config, c *controller.Checked, problems []problem) {
	for _, warning := range cfg.Warnings {
		fmt.Fprintf(w, "WARN  %s\n", printable(warning.String()))
	}
	for _, p := range problems {
		fmt.Fprintf(w, "FAIL  %s\n      %s\n", printable(p.String()), printable(p.Advice))
	}
	for _, p := range c.Parts {
		if p.Err == nil && p.Name != "" {
			fmt.Fprintf(w, "ok    %s: %s\n", p.Name, printable(p.Detail))
		}
	}
	fmt.Fprintln(w, summaryOf(cfg, c, problems))
}

// summaryOf is the last line of a check.
func summaryOf(cfg *config.Config, c *controller.Checked, problems []problem) string {
	failed, reasons, unread := 0, 0, 0
	for _, p := range problems {
		if p.Part == partLogs {
			unread += len(p.Hosts)
			continue
		}
		if failed += len(p.Hosts); len(p.Hosts) > 0 {
			reasons++
		}
	}
	text := fmt.Sprintf("%s checked in %s: %d well", count(len(c.Visits), "host"), c.Took.Round(time.Millisecond), len(c.Visits)-failed)
	if failed > 0 {
		text += fmt.Sprintf(", %d failed for %s", failed, count(reasons, "reason"))
	}
	var unusable []string
	for _, p := range c.Parts {
		if p.Err != nil {
			unusable = append(unusable, p.Name)
		}
	}
	switch {
	case len(unusable) > 0:
		text += "; not well: " + strings.Join(unusable, ", ")
	case len(c.Parts) > 0:
		text += "; queue, database and mail are well"
	}
	if unread > 0 {
		text += "; " + count(unread, "log") + " can't be read"
	}
	if n := len(cfg.Warnings); n > 0 {
		text += "; " + count(n, "warning")
	}
	if c.Cancelled {
		text += "; interrupted"
	}
	return text
}

// checkResult is the JSON of a check.
type checkResult struct {
	Mistakes []string        `json:"mistakes,omitempty"` // of the configuration: then nothing else was checked
	Warnings []string        `json:"warnings,omitempty"`
	Checked  int             `json:"checked"` // hosts
	Well     int             `json:"well"`    // of them
	Seconds  float64         `json:"seconds"`
	Problems []problem       `json:"problems"`
	Failed   []failureResult `json:"failed"` // each host that failed
	Parts    []partResult    `json:"parts"`
	Stopped  bool            `json:"cancelled"`
}

type partResult struct {
	Part   string `json:"part"`
	Well   bool   `json:"well"`
	Detail string `json:"detail"`
	Error  string `json:"error,omitempty"`
	Advice string `json:"advice,omitempty"`
}

func checkJSONOf(cfg *config.Config, c *controller.Checked, problems []problem) checkResult {
	result := checkResult{
		Checked: len(c.Visits), Seconds: c.Took.Seconds(), Problems: problems, Stopped: c.Cancelled,
		Failed: []failureResult{}, Parts: []partResult{},
	}
	for _, warning := range cfg.Warnings {
		result.Warnings = append(result.Warnings, warning.String())
	}
	for _, v := range c.Visits {
		if v.Failure == nil {
			result.Well++
			continue
		}
		result.Failed = append(result.Failed, failureJSON(v))
	}
	for _, p := range c.Parts {
		part := partResult{Part: p.Name, Well: p.Err == nil, Detail: p.Detail}
		if p.Err != nil {
			part.Error, part.Advice = p.Err.Error(), p.Advice
		}
		result.Parts = append(result.Parts, part)
	}
	return result
}
