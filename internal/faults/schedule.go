package faults

import (
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"time"
)

// Kind is what a fault does, as the table of faults has it.
type Kind string

// The kinds of faults.
const (
	KillServer   Kind = "server killed"
	KillDatabase Kind = "database killed"
	KillMail     Kind = "mail server killed"
	ResetHost    Kind = "host reset"                   // sshd, and all that runs on the host
	KillSession  Kind = "sshd's session killed"        // of the visit under way
	KillClient   Kind = "client killed"                // while it runs
	Wipe         Kind = "client removed from its host" // between visits, or under one
	Cut          Kind = "connections cut at some byte" // in either direction
	Refuse       Kind = "connections cut and refused"  // until it is over
	Freeze       Kind = "connections frozen"           // nothing gets through, and nothing is closed
	Slow         Kind = "connections slowed"           // a few kB and replies a second
	Fill         Kind = "disk full"                    // the data directory's
	Jump         Kind = "clock jump"                   // the server's, by hours or days, and back
	Reload       Kind = "configuration changed"        // under the server that runs: no fault, but nothing may be lost by it
	Rotate       Kind = "log rotated"                  // a host's log file, by its new name
	Clear        Kind = "log cleared"                  // with lines in it that were not read, or not
	Exceed       Kind = "limit exceeded"               // no fault: what the alerts are made of
	Flood        Kind = "burst of records"             // no fault: what event alerts are made of, or one that is just none
	Lie          Kind = "lie of a host"                // a report that is not what was asked for
)

// Kinds returns all kinds in the order of the table.
func Kinds() []Kind {
	return []Kind{
		KillServer, KillDatabase, KillMail, ResetHost, KillSession, KillClient,
		Wipe, Cut, Refuse, Freeze, Slow, Fill, Jump, Reload, Rotate, Clear, Lie, Exceed, Flood,
	}
}

// IsKill tells whether a fault of the kind is a SIGKILL.
func (k Kind) IsKill() bool {
	switch k {
	case KillServer, KillDatabase, KillMail, ResetHost, KillSession, KillClient:
		return true
	}
	return false
}

// Range is a span of durations, Most not among them unless both are the same.
type Range struct{ Least, Most time.Duration }

// Choice is one kind of fault that a track may draw.
type Choice struct {
	Kind    Kind
	Weight  int      // how often, beside the others'; at least 1
	Targets []string // one of these; empty: the fault needs none
	After   Range    // how long after the fault before it, or, for the server's death, after its start
	Hold    Range    // how long it lasts
}

// Track is a sequence of faults, one after the other. Tracks run side by side.
type Track struct {
	Name    string
	Choices []Choice
}

// Fault is one thing that goes wrong.
type Fault struct {
	Kind   Kind
	Target string
	After  time.Duration
	Hold   time.Duration
	Dose   float64 // from 0 to below 1: for what else there is to choose about a fault of its kind
}

// Faults yields the track's faults without end. The same seed gives the same faults, whatever other tracks there are; a
// track without choices yields none.
func (t Track) Faults(seed uint64) iter.Seq[Fault] {
	return func(yield func(Fault) bool) {
		total := 0
		for _, c := range t.Choices {
			total += max(c.Weight, 1)
		}
		if total == 0 {
			return
		}
		name := fnv.New64a()
		_, _ = name.Write([]byte(t.Name))
		dice := rand.New(rand.NewPCG(seed, name.Sum64())) //nolint:gosec // a schedule is to be repeated, not to be secret
		for yield(t.draw(dice, total)) {
		}
	}
}

func (t Track) draw(dice *rand.Rand, total int) Fault {
	n := dice.IntN(total)
	choice := t.Choices[0]
	for _, c := range t.Choices {
		if n -= max(c.Weight, 1); n < 0 {
			choice = c
			break
		}
	}
	f := Fault{Kind: choice.Kind, After: choice.After.draw(dice), Hold: choice.Hold.draw(dice), Dose: dice.Float64()}
	if len(choice.Targets) > 0 {
		f.Target = choice.Targets[dice.IntN(len(choice.Targets))]
	}
	return f
}

func (r Range) draw(dice *rand.Rand) time.Duration {
	if r.Most <= r.Least {
		return r.Least
	}
	return r.Least + time.Duration(dice.Int64N(int64(r.Most-r.Least)))
}
