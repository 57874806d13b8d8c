package visit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// Transfer says how a report comes back.
type Transfer string

// The ways a report comes back.
const (
	Stdout Transfer = "stdout" // in base64 on the client's standard output
	File   Transfer = "file"   // as a file beside the client, fetched by SFTP and removed
)

// Deadlines bound the stages of a visit, and the whole of it. Zero is package remote's default for the first three and no
// bound of its own for the others.
type Deadlines struct {
	Dial, Handshake, Authentication, Platform, Deploy, Run, Receive, Visit time.Duration
}

// Host is whom to visit, and how. It is immutable while a visit runs.
type Host struct {
	Name      string
	Address   string
	Port      int
	User      string
	Signers   []ssh.Signer
	Agent     *remote.Agent
	Password  string
	Passwords remote.PasswordGate
	Methods   []string
	HostKeys  *remote.HostKeys
	KnownAs   string
	Directory string
	Client    string // path of a client that is installed on the host; empty: it is uploaded
	Sudo      bool   // the client is run by sudo -n
	Transfer  Transfer
	Deadlines Deadlines
	Logs      Logs           // nil: no log records are wanted
	Further   time.Duration  // after its beginning a visit ends that goes on for the sake of the logs alone; 0: by its deadline
	Through   remote.Gateway // what it is reached through; nil: it is reached directly
	Way       string         // the names of the jump hosts on the way, the nearest to us first, with " > " between them
}

// Timing is how long a stage took.
type Timing struct {
	Stage failure.Stage
	Took  time.Duration
}

// Visit is what became of one host in one sweep: a report or a failure, and how it went. It is immutable once observers
// have it.
type Visit struct {
	ID       string
	Sweep    time.Time // the sweep's scheduled time
	Host     string
	Address  string // address:port, after the jump hosts on the way
	Started  time.Time
	Took     time.Duration
	Stages   []Timing
	Sent     int64 // bytes on the wire
	Received int64
	Uploaded bool           // the client was put there in this visit
	Log      string         // the client's log (stderr) and what came before the report, bounded and made printable
	Report   *report.Report // nil if and only if Failure is not; its Statistics hold the derived rates too
	Failure  *failure.Error
	Logs     []ChannelRead // how the reading of each channel that was asked for went; the records are where Host.Logs has put them

	acknowledge func() // moves what the next visit of the host begins at; nil: nothing to move
}

// Acknowledge says that what the visit brought is kept for good. Only then does the next visit of the host begin where
// this one ended: its rates are those since the last report that was not lost. It is called once, before the host is
// visited again.
func (v *Visit) Acknowledge() {
	if v.acknowledge != nil {
		v.acknowledge()
	}
}

// Sweep is one scheduled pass over the fleet.
type Sweep struct {
	Time  time.Time // its scheduled time, UTC, names it
	Hosts int       // how many hosts are to be visited
}

// Busy returns the visit of a host that is passed over in a sweep because the visit of an earlier one still runs.
func Busy(host Host, sweep time.Time) *Visit {
	return Failed(host, sweep, failure.New(failure.Dial, failure.Busy, errors.New("the visit of an earlier sweep still runs")))
}

// Overdue returns the visit of a host that is passed over since an earlier visit has not ended long after its deadline. That
// should never be; if it is, it is not to look as if all were well with the host.
func Overdue(host Host, sweep, began time.Time) *Visit {
	return Failed(host, sweep, &failure.Error{
		Stage: failure.Dial, Kind: failure.Internal,
		Err:    fmt.Errorf("the visit that began at %s still runs, long after its deadline", began.UTC().Format(time.RFC3339)),
		Advice: "restart the server, and report this as a defect, with the log",
	})
}

// Failed returns the visit of a host that was not visited, because of failed. It counts as started at the sweep's time.
func Failed(host Host, sweep time.Time, failed *failure.Error) *Visit {
	named := *failed
	named.Host = host.Name
	return &Visit{
		ID: newID(sweep), Sweep: sweep, Host: host.Name, Address: host.endpoint(), Started: sweep, Failure: &named,
	}
}

func (h *Host) endpoint() string {
	port := h.Port
	if port == 0 {
		port = 22
	}
	address := net.JoinHostPort(h.Address, strconv.Itoa(port))
	if h.Way != "" {
		return h.Way + " > " + address
	}
	return address
}

// Observer is told what happens. Calls of Visited come from many goroutines at once; SweepStarted comes before the first
// Visited of its sweep and SweepEnded after the last. Visited must not block on a database or a network.
type Observer interface {
	SweepStarted(ctx context.Context, s Sweep)
	Visited(ctx context.Context, v *Visit)
	SweepEnded(ctx context.Context, s Sweep) error
}
