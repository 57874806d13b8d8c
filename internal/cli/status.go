package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/report"
	"muster/internal/store"
)

type statusCommand struct {
	configFlag
	JSON bool     `help:"Print JSON."`
	Host []string `arg:"" optional:"" help:"Hosts or groups to show; default: all."`
}

// Help is shown by muster status --help.
func (statusCommand) Help() string {
	return `Shows what the database knows of each host of the configuration: its last visit, CPU, memory and uptime as last
reported, and the alerts that hold; and, of the server, what waits to be stored or mailed and what never could be.
Nothing is visited, and nothing is written: before the first "muster run" or "muster serve" there is no database to read.

On a narrow terminal columns are shortened or left out. --json has all values of the last report: "latest" those of
statistics without instances, such as memory.usage, and "instances" those with, such as disk.usage of each disk.

Exit status: 0 the last visit to every host shown brought a report; 1 some host failed or was never visited; 2 usage or
configuration; 3 the database could not be used, or is not there yet.`
}

// Run prints the status.
func (c statusCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.load(ctx)
	if err != nil {
		return err
	}
	hosts, err := readStatus(ctx, cfg, c.JSON)
	if err != nil {
		return err
	}
	if hosts, err = selectHosts(hosts, c.Host); err != nil {
		return err
	}
	overview, unknown := controller.Inspect(ctx, cfg)
	if c.JSON {
		err = writeJSON(env.Stdout, statusResult{Hosts: statusJSON(hosts), Server: overview})
	} else if err = printStatus(env.Stdout, hosts, unreadLogs(overview), time.Now()); err == nil {
		printOverview(env.Stdout, overview, time.Now())
	}
	if unknown != nil {
		fmt.Fprintf(env.Stderr, "muster: what the server knows is not shown: %v\n", unknown)
	}
	if err == nil && slices.ContainsFunc(hosts, func(h store.HostStatus) bool { return h.Succeeded.IsZero() || h.Kind != "" }) {
		return &exitError{status: exitHosts}
	}
	return err
}

// statusResult is the JSON of a status.
type statusResult struct {
	Hosts  []hostJSON           `json:"hosts"`
	Server *controller.Overview `json:"server"` // null: there is none, and was none
}

// readStatus returns the status of the hosts of the configuration, in its order, those never visited too, with the values
// of instances where they are asked for.
func readStatus(ctx context.Context, cfg *config.Config, instances bool) (_ []store.HostStatus, err error) {
	database, err := controller.ReadStore(ctx, cfg.Database, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	read := database.Status
	if instances {
		read = database.StatusWithInstances
	}
	stored, err := read(ctx)
	if err != nil {
		return nil, fmt.Errorf("database %w: %w", controller.ErrUnusable, err)
	}
	known := make(map[string]store.HostStatus, len(stored))
	for _, h := range stored {
		known[h.Host] = h
	}
	hosts := make([]store.HostStatus, 0, len(cfg.Hosts))
	for _, h := range cfg.Hosts {
		status := known[h.Name]
		status.Host = h.Name
		status.Groups = strings.Join(h.Groups, "/")
		hosts = append(hosts, status)
	}
	return hosts, nil
}

// selectHosts returns the hosts that are named, or lie in a group that is; all where nothing is named.
func selectHosts(hosts []store.HostStatus, names []string) ([]store.HostStatus, error) {
	if len(names) == 0 {
		return hosts, nil
	}
	var selected []store.HostStatus
	found := make(map[string]bool)
	for _, h := range hosts {
		wanted := false
		for _, name := range names {
			if h.Host == name || slices.Contains(strings.Split(h.Groups, "/"), name) {
				found[name], wanted = true, true
			}
		}
		if wanted {
			selected = append(selected, h)
		}
	}
	for _, name := range names {
		if !found[name] {
			return nil, misuse(fmt.Errorf("the configuration has no host and no group %q", name))
		}
	}
	return selected, nil
}

// printStatus prints a table, as wide as w where that is a terminal, and below it what is wrong with each host in words: but
// for the logs that are said to be unread elsewhere, with the reason.
func printStatus(w io.Writer, hosts []store.HostStatus, unread map[logName]bool, now time.Time) error {
	if err := printTable(w, hosts, now, widthOf(w)); err != nil {
		return err
	}
	for _, h := range hosts {
		var words []string
		if h.Kind != "" {
			words = append(words, fmt.Sprintf("%s (%s): %s: %s\n    %s\n", printable(h.Host), h.Address, h.Stage,
				printable(h.Error), printable(h.Advice)))
			if !h.Succeeded.IsZero() {
				words = append(words, fmt.Sprintf("    its values are from the last report, %s\n", ago(h.Succeeded, now)))
			}
		}
		for _, a := range sorted(h.Alerts) {
			if a.Statistic == alert.VisitFailed && h.Kind != "" {
				continue // said already
			}
			if a.Statistic == report.LogsFailed && unread[logName{h.Host, a.Instance}] {
				continue
			}
			words = append(words, fmt.Sprintf("%s: %s\n", printable(h.Host), alertInWords(a, now)))
		}
		if len(words) > 0 {
			fmt.Fprint(w, "\n", strings.Join(words, ""))
		}
	}
	return nil
}

// sorted returns alerts by statistic and instance, so that they stand in the same order each time.
func sorted(alerts []store.Alert) []store.Alert {
	return slices.SortedStableFunc(slices.Values(alerts), func(a, b store.Alert) int {
		return cmp.Or(cmp.Compare(a.Statistic, b.Statistic), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.ID, b.ID))
	})
}

func lastVisit(h store.HostStatus, now time.Time) string {
	switch {
	case h.Visited.IsZero():
		return "never"
	case h.Kind != "":
		return ago(h.Visited, now) + ", " + h.Kind
	}
	return ago(h.Visited, now)
}

// ago returns how long ago t was, in words for a table.
func ago(t, now time.Time) string {
	return report.FormatValue(max(now.Sub(t), 0).Truncate(time.Second).Seconds(), "s") + " ago"
}

func latest(h store.HostStatus, statistic string) string {
	value, ok := h.Latest[statistic]
	if !ok {
		return "-"
	}
	definition, _ := report.Lookup(statistic)
	return report.FormatValue(value, definition.Unit)
}

func alertsOf(h store.HostStatus) string {
	var names []string
	for _, a := range sorted(h.Alerts) {
		switch {
		case a.Statistic == report.LogsMatches:
			names = append(names, shortChannel(printable(a.Instance)))
		case a.Instance != "":
			names = append(names, a.Statistic+" "+printable(a.Instance))
		default:
			names = append(names, a.Statistic)
		}
	}
	if len(names) > 2 {
		names = append(names[:2], fmt.Sprintf("and %d more", len(names)-2))
	}
	return strings.Join(names, ", ")
}

func alertInWords(a store.Alert, now time.Time) string {
	since := fmt.Sprintf("limit %s, since %s (%s)", a.Limit, a.Since.Local().Format("2006-01-02 15:04:05"), ago(a.Since, now))
	if a.Statistic == report.LogsMatches {
		return fmt.Sprintf("%s of %s, %s\n    %s", count(int(a.Value), "record"), printable(a.Instance), since, printable(a.Text))
	}
	series := a.Statistic
	if a.Instance != "" {
		series += " " + printable(a.Instance)
	}
	words := fmt.Sprintf("%s is %s, %s", series, report.FormatValue(a.Value, a.Unit), since)
	if a.Text != "" {
		words += ": " + printable(a.Text)
	}
	return words
}

// printable makes text from outside safe to show.
func printable(text string) string { return report.Visible(text, 0) }

type hostJSON struct {
	Host      string             `json:"host"`
	Group     string             `json:"group"`
	Address   string             `json:"address,omitempty"`
	Visited   *time.Time         `json:"visited"`
	Succeeded *time.Time         `json:"reported"`
	Failure   *failureResult     `json:"failure"`
	Latest    map[string]float64 `json:"latest"`    // by statistic: those that have no instances
	Instances []instanceJSON     `json:"instances"` // those that have, by statistic and instance
	Alerts    []alertJSON        `json:"alerts"`
}

type instanceJSON struct {
	Statistic string  `json:"statistic"`
	Instance  string  `json:"instance"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`
}

type alertJSON struct {
	Statistic string    `json:"statistic"`
	Instance  string    `json:"instance,omitempty"`
	Unit      string    `json:"unit"`
	Limit     string    `json:"limit"`
	Value     float64   `json:"value"`
	Since     time.Time `json:"since"`
	Text      string    `json:"text,omitempty"`
}

func statusJSON(hosts []store.HostStatus) []hostJSON {
	result := make([]hostJSON, 0, len(hosts))
	for _, h := range hosts {
		j := hostJSON{
			Host: h.Host, Group: h.Groups, Address: h.Address, Visited: timeOrNil(h.Visited),
			Succeeded: timeOrNil(h.Succeeded), Latest: h.Latest, Instances: []instanceJSON{}, Alerts: []alertJSON{},
		}
		if h.Kind != "" {
			j.Failure = &failureResult{Host: h.Host, Address: h.Address, Stage: h.Stage, Kind: h.Kind, Error: h.Error, Advice: h.Advice}
		}
		for _, v := range h.Instances {
			j.Instances = append(j.Instances, instanceJSON{v.Name, v.Instance, v.Unit, v.Value})
		}
		for _, a := range sorted(h.Alerts) {
			j.Alerts = append(j.Alerts, alertJSON{a.Statistic, a.Instance, a.Unit, a.Limit, a.Value, a.Since, a.Text})
		}
		result = append(result, j)
	}
	return result
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
