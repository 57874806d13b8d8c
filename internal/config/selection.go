package config

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"muster/internal/events"
	"muster/internal/report"
)

// Selection returns which records of the channel are brought home, as a person reads it: "Security 4625", "journal, levels
// error,critical, providers sshd". An XPath is left out.
func (l *Logs) Selection() string { return selection(l.Channel, "", l.Filter) }

// Selection returns which records are meant, as a person reads it: "Security 4625", "journal, failed logons, providers sshd".
func (r *Records) Selection() string { return selection(r.Channel, r.Logon, r.Filter) }

func selection(channel, logon string, f report.Filter) string {
	text := channel
	if len(f.Events) > 0 {
		text += " " + f.Events.String()
	}
	switch logon {
	case "":
	case events.Any:
		text += ", logons"
	default:
		text += ", " + logon + " logons"
	}
	if len(f.Levels) > 0 {
		words := make([]string, len(f.Levels))
		for i, level := range f.Levels {
			words[i] = string(level)
		}
		text += ", levels " + strings.Join(words, ",")
	}
	if len(f.Providers) > 0 {
		text += ", providers " + strings.Join(f.Providers, ",")
	}
	return text
}

// key tells selections apart. All but the path of a file may be written in upper or lower case.
func (r *Records) key() string {
	return ChannelKey(r.Channel) + strings.ToLower(strings.TrimPrefix(r.Selection(), r.Channel))
}

// filterOf returns the filter that attributes make, of those that are not wrong.
func filterOf(e report.Events, k *kinds) report.Filter {
	f := report.Filter{
		Events: e, Levels: slices.Clone(k.Levels.or(nil)), Providers: slices.Clone(k.Providers.or(nil)),
	}
	all := report.Levels()
	slices.SortFunc(f.Levels, func(a, b report.Level) int { return cmp.Compare(slices.Index(all, a), slices.Index(all, b)) })
	slices.Sort(f.Providers)
	f.Providers = slices.CompactFunc(f.Providers, strings.EqualFold)
	return f
}

// coming reports whether the records' channel is among logs, and whether one of these brings home some of them.
func (r *Records) coming(logs []placedLogs) (known, comes bool) {
	for i := range logs {
		if channel(logs[i].Channel).key() == channel(r.Channel).key() {
			known = true
			comes = comes || r.passes(logs[i].Filter)
		}
	}
	return known, comes
}

// passes reports whether there may be such records that pass a filter, too.
func (r *Records) passes(f report.Filter) bool {
	if r.Logon == "" {
		return overlap(r.Filter, f)
	}
	return slices.ContainsFunc(events.LogonKinds(r.Channel, r.Logon), func(kind report.Filter) bool {
		return overlap(r.Filter, f, kind)
	})
}

// overlap reports whether a record may pass all filters, as far as they say; what an XPath leaves out is not known.
func overlap(filters ...report.Filter) bool {
	return levelsOverlap(filters) && eventsOverlap(filters) && providersOverlap(filters)
}

func levelsOverlap(filters []report.Filter) bool {
	return slices.ContainsFunc(report.Levels(), func(level report.Level) bool {
		return !slices.ContainsFunc(filters, func(f report.Filter) bool {
			return len(f.Levels) > 0 && !slices.Contains(f.Levels, level)
		})
	})
}

// eventsOverlap looks at where the ranges that the selections are made of can begin: if there is an event in all, one of
// these is.
func eventsOverlap(filters []report.Filter) bool {
	starts := []int64{0}
	for _, f := range filters {
		for _, r := range f.Events {
			if r.Exclude {
				starts = append(starts, r.Last+1)
			} else {
				starts = append(starts, r.First)
			}
		}
	}
	return slices.ContainsFunc(starts, func(id int64) bool {
		return id <= math.MaxUint32 && !slices.ContainsFunc(filters, func(f report.Filter) bool { return !f.Events.Has(id) })
	})
}

func providersOverlap(filters []report.Filter) bool {
	named := false
	for _, f := range filters {
		for _, p := range f.Providers {
			if strings.HasPrefix(p, "!") {
				continue
			}
			named = true
			refuses := func(other report.Filter) bool {
				return !(&report.Filter{Providers: other.Providers}).Match(&report.Record{Source: p})
			}
			if !slices.ContainsFunc(filters, refuses) {
				return true
			}
		}
	}
	return !named // only exclusions: there is always another one
}

// ChannelKey returns what is the same for two names of one channel: those of the Windows event log, and files there, may be
// written in upper or lower case.
func ChannelKey(name string) string { return channel(name).key() }
