package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/wildcard"
)

// query returns what the options ask for. Its errors are mistakes of the command line.
func (c logsCommand) query(cfg *config.Config, now time.Time) (store.LogQuery, error) {
	q := store.LogQuery{
		Channels: channelsLike(cfg, c.Channel), Sources: c.Source, Text: c.Text, User: c.User, Address: c.Address,
		Raw: c.Raw, Newest: defaultLines,
	}
	q.Gaps = c.Event == "" && c.Level == "" && c.Text == "" && c.User == "" && c.Address == "" && len(c.Source) == 0 &&
		!c.Logons && !c.FailedLogons // what is missing is about no event and no user
	if a, err := netip.ParseAddr(c.Address); err == nil {
		q.Address = a.Unmap().String()
	}
	var err error
	if q.Hosts, err = c.hosts(cfg); err != nil {
		return q, err
	}
	if c.Event != "" {
		if q.Events, err = report.ParseEvents(c.Event); err != nil {
			return q, fmt.Errorf("--event %s: %w", c.Event, err)
		}
	}
	if q.Levels, err = levelsFrom(c.Level); err != nil {
		return q, fmt.Errorf("--level %s: %w", c.Level, err)
	}
	switch {
	case c.FailedLogons:
		q.Logon = store.LogonFailed
	case c.Logons:
		q.Logon = store.LogonAny
	}
	return q, errors.Join(c.span(&q, now), c.count(&q))
}

// span sets from when to when.
func (c logsCommand) span(q *store.LogQuery, now time.Time) (err error) {
	if q.Since, err = moment(c.Since, now); err != nil {
		return fmt.Errorf("--since %s: %w", c.Since, err)
	}
	if q.Until, err = moment(c.Until, now); err != nil {
		return fmt.Errorf("--until %s: %w", c.Until, err)
	}
	switch {
	case c.Follow && c.Until != "":
		return errors.New("--follow goes on, and --until ends: only one of them is meant")
	case !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until):
		return errors.New("--since is not before --until")
	}
	return nil
}

// count sets how many.
func (c logsCommand) count(q *store.LogQuery) error {
	switch {
	case c.Lines != nil && *c.Lines < 0:
		return fmt.Errorf("-n %d: must be 0 or more", *c.Lines)
	case c.Lines != nil:
		q.Newest = *c.Lines
	case c.Since != "" || c.Until != "":
		q.Newest = 0
	}
	return nil
}

// hosts returns the hosts that are named, and those of the configuration that a pattern or a group means. A name that the
// configuration does not have may be that of a host of the past.
func (c logsCommand) hosts(cfg *config.Config) ([]string, error) {
	var hosts []string
	for _, name := range c.Host {
		found := hostsLike(cfg, name)
		if len(found) == 0 && strings.ContainsAny(name, "*?") {
			return nil, fmt.Errorf("the configuration has no host and no group like %q", name)
		}
		if len(found) == 0 {
			found = []string{name}
		}
		hosts = append(hosts, found...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// hostsLike returns the hosts of the configuration that a pattern matches, or a group of which.
func hostsLike(cfg *config.Config, pattern string) []string {
	var hosts []string
	for i := range cfg.Hosts {
		h := &cfg.Hosts[i]
		like := func(name string) bool { return wildcard.Match(pattern, name) }
		if like(h.Name) || slices.ContainsFunc(h.Groups, like) {
			hosts = append(hosts, h.Name)
		}
	}
	return hosts
}

// channelsLike returns channels as the configuration spells them: Windows does not tell security from Security.
func channelsLike(cfg *config.Config, names []string) []string {
	channels := slices.Clone(names)
	for i, name := range channels {
		for _, known := range channelsOf(cfg) {
			if strings.EqualFold(known, name) && !strings.HasPrefix(known, report.FileChannel) {
				channels[i] = known
			}
		}
	}
	return channels
}

// channelsOf returns the channels that any host of the configuration is asked for.
func channelsOf(cfg *config.Config) []string {
	var channels []string
	for i := range cfg.Hosts {
		for _, l := range cfg.Hosts[i].Logs {
			if !slices.Contains(channels, l.Channel) {
				channels = append(channels, l.Channel)
			}
		}
	}
	return channels
}

// levelsFrom returns a level and those that are graver. What an audit says is no more and no less grave than information: it
// is among the levels from information on, and of its own two a success counts as less.
func levelsFrom(name string) ([]report.Level, error) {
	level := report.Level(strings.ToLower(name))
	switch level {
	case "":
		return nil, nil
	case report.AuditFailure:
		return []report.Level{report.AuditFailure}, nil
	case report.AuditSuccess:
		return []report.Level{report.AuditFailure, report.AuditSuccess}, nil
	case "err":
		level = report.Error
	case "warn":
		level = report.Warning
	case "crit":
		level = report.Critical
	case "emerg":
		level = report.Emergency
	case "info":
		level = report.Information
	}
	all := report.Levels()
	at := slices.Index(all, level)
	if at < 0 {
		var names []string
		for _, l := range all {
			names = append(names, string(l))
		}
		return nil, fmt.Errorf("must be one of %s", strings.Join(names, ", "))
	}
	levels := all[: at+1 : at+1]
	if at >= slices.Index(all, report.Information) {
		levels = append(levels, report.AuditFailure, report.AuditSuccess)
	}
	return levels, nil
}

// errMoment says how a time is written.
var errMoment = errors.New(`must be how long ago, such as 30m, 2h or 7d, or a time such as today, yesterday, 14:30, 2026-03-14, ` +
	`"2026-03-14 14:30" or 2026-03-14T14:30:00Z`)

// moment returns the time that a text means, in the zone of now where it names none; the zero time for "".
func moment(text string, now time.Time) (time.Time, error) {
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if ago, err := config.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errMoment
}
