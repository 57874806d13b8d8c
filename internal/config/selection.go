package config

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"muster/internal/report"
)

// Selection returns the records of a channel that a filter selects as a person reads it: "Security 4625",
// "journal, levels error,critical, providers sshd". An XPath is left out.
func Selection(channel string, f report.Filter) string {
	text := channel
	if len(f.Events) > 0 {
		text += " " + f.Events.String()
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

// coming reports whether a channel is among logs, and whether one of these brings home what a filter selects.
func coming(name string, f report.Filter, logs []placedLogs) (known, comes bool) {
	for _, l := range logs {
		if channel(l.Channel).key() == channel(name).key() {
			known = true
			comes = comes || overlap(l.Filter, f)
		}
	}
	return known, comes
}

// overlap reports whether a record may pass both filters, as far as they say; what an XPath leaves out is not known.
func overlap(a, b report.Filter) bool {
	levels := len(a.Levels) == 0 || len(b.Levels) == 0 ||
		slices.ContainsFunc(a.Levels, func(l report.Level) bool { return slices.Contains(b.Levels, l) })
	return levels && eventsOverlap(a.Events, b.Events) && providersOverlap(a.Providers, b.Providers)
}

// eventsOverlap looks at where the ranges that the selections are made of can begin: if there is an event in both, one of
// these is.
func eventsOverlap(a, b report.Events) bool {
	starts := []int64{0}
	for _, r := range slices.Concat(a, b) {
		if r.Exclude {
			starts = append(starts, r.Last+1)
		} else {
			starts = append(starts, r.First)
		}
	}
	return slices.ContainsFunc(starts, func(id int64) bool { return id <= math.MaxUint32 && a.Has(id) && b.Has(id) })
}

func providersOverlap(a, b []string) bool {
	filters := []report.Filter{{Providers: a}, {Providers: b}}
	named := false
	for _, p := range slices.Concat(a, b) {
		if strings.HasPrefix(p, "!") {
			continue
		}
		named = true
		if filters[0].Match(&report.Record{Source: p}) && filters[1].Match(&report.Record{Source: p}) {
			return true
		}
	}
	return !named // only exclusions: there is always another one
}

// ChannelKey returns what is the same for two names of one channel: those of the Windows event log, and files there, may be
// written in upper or lower case.
func ChannelKey(name string) string { return channel(name).key() }
