package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/crypto/ssh"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/failure"
)

type trustCommand struct {
	configFlag
	Yes         bool     `help:"Record the keys of all unknown hosts that answer, unseen."`
	Fingerprint []string `placeholder:"SHA256:…" help:"Record a key if it has this fingerprint. May be repeated."`
	Replace     bool     `help:"Let a new key take the place of one that is known."`
	JSON        bool     `help:"Print JSON, and ask nothing."`
	Hosts       []string `arg:"" optional:"" name:"HOST" help:"Names of hosts. Default: all that are not known yet."`
}

// Help is shown by muster trust --help.
func (trustCommand) Help() string {
	return `A host is visited only if its key is known. This connects to hosts, shows the key of each with its fingerprint, and
records in known_hosts those that you say yes to. No user, key or password is sent, but to
jump hosts that are known, which are logged in to. Compare a fingerprint with the host's own before you trust it: on the
host, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" prints it.

A key that has CHANGED is recorded only with --replace: find out first why it did. A revoked one is never recorded.
Without a terminal nothing is asked: say --fingerprint, or --yes where you trust the network that the hosts are in.

Exit status: 0 the keys of all these hosts are known now; 1 some are not; 2 usage or configuration; 3 known_hosts could
not be written.`
}

// trusted is one host's key, and what became of it.
type trusted struct {
	controller.HostKey
	state    string
	recorded bool
	err      error // why it could not be recorded
}

// The states of a host's key.
const (
	stateKnown       = "known"
	statePinned      = "pinned" // by the configuration, and right
	stateUnknown     = "unknown"
	stateChanged     = "CHANGED"
	stateRefused     = "REFUSED" // revoked, or a certificate that is not good
	stateUnreachable = "not seen"
	stateRecorded    = "recorded"
	stateOther       = "ANOTHER" // than those that --fingerprint names
)

// Run shows keys and records them.
func (c trustCommand) Run(ctx context.Context, env Env) error {
	cfg, err := c.loadFleet(ctx)
	if err != nil {
		return err
	}
	for _, fingerprint := range c.Fingerprint {
		if !config.IsFingerprint(strings.TrimRight(fingerprint, "=")) {
			return misuse(fmt.Errorf("--fingerprint %.80q is none: it is SHA256: and 43 characters, as ssh-keygen -lf prints it", fingerprint))
		}
	}
	trust := controller.NewTrust(cfg)
	keys, err := trust.Show(ctx, c.Hosts...)
	if err != nil {
		return err
	}
	found := make([]trusted, len(keys))
	for i, key := range keys {
		found[i] = trusted{HostKey: key, state: c.stateOf(key)}
	}
	if !c.JSON {
		if err := printKeys(env.Stdout, c.listed(found)); err != nil {
			return err
		}
	}
	asks := &question{env: env, all: c.Yes}
	for i := range found {
		if f := &found[i]; c.wants(ctx, f, asks) {
			if f.err = trust.Record(ctx, f.HostKey, f.state == stateChanged); f.err == nil {
				f.state, f.recorded = stateRecorded, true
			}
		}
	}
	return c.tell(ctx, env, found, asks)
}

// names tells whether --fingerprint names a key.
func (c trustCommand) names(key ssh.PublicKey) bool {
	return slices.ContainsFunc(c.Fingerprint, func(fingerprint string) bool {
		return strings.TrimRight(fingerprint, "=") == ssh.FingerprintSHA256(key)
	})
}

// stateOf says in a word what a host's key is. Where hosts and fingerprints are named, a key is one of those or another,
// known or not.
func (c trustCommand) stateOf(k controller.HostKey) string {
	if len(c.Fingerprint) > 0 && len(c.Hosts) > 0 && k.Shown != nil && !c.names(k.Shown.Key) {
		return stateOther
	}
	return stateOf(k)
}

// stateOf says in a word what a host's key is.
func stateOf(k controller.HostKey) string {
	switch {
	case k.Shown == nil:
		return stateUnreachable
	case k.Failure == nil && k.Pinned:
		return statePinned
	case k.Failure == nil:
		return stateKnown
	case k.Failure.Kind == failure.HostKeyChanged:
		return stateChanged
	case k.Failure.Kind == failure.HostKeyUnknown && !isCertificate(k.Shown.Key):
		return stateUnknown
	}
	return stateRefused
}

func isCertificate(key ssh.PublicKey) bool {
	_, ok := key.(*ssh.Certificate)
	return ok
}

// listed returns the hosts to show: those that were named, or otherwise those of which there is something to say.
func (c trustCommand) listed(all []trusted) []trusted {
	if len(c.Hosts) > 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(f trusted) bool { return f.state == stateKnown || f.state == statePinned })
}

// wants tells whether a key is to be recorded.
func (c trustCommand) wants(ctx context.Context, f *trusted, asks *question) bool {
	recordable := f.state == stateUnknown || f.state == stateChanged && c.Replace && !f.Pinned
	switch {
	case !recordable || ctx.Err() != nil:
		return false
	case len(c.Fingerprint) > 0:
		return c.names(f.Shown.Key)
	case c.Yes:
		return true
	case c.JSON:
		return false
	}
	return asks.ask(ctx, f)
}

// tell says what came of it.
func (c trustCommand) tell(ctx context.Context, env Env, found []trusted, asks *question) error {
	var unwritten error
	counts := make(map[string]int)
	for _, f := range found {
		counts[f.state]++
		if f.err != nil && failure.From("", f.err).Kind == failure.Configuration {
			unwritten = fmt.Errorf("known_hosts %w: %w", controller.ErrUnusable, f.err)
		}
	}
	var err error
	if c.JSON {
		err = writeJSON(env.Stdout, trustJSON(found))
	} else {
		printProblems(env.Stdout, found)
		known := counts[stateKnown] + counts[statePinned]
		_, err = fmt.Fprintf(env.Stdout, "%s: %d known before, %d recorded now, %d not trusted\n",
			count(len(found), "host"), known, counts[stateRecorded], len(found)-known-counts[stateRecorded])
		if asks.silent && err == nil {
			_, err = fmt.Fprintln(env.Stdout, "nothing is asked without a terminal: say --fingerprint SHA256:… or --yes")
		}
	}
	trustedAll := counts[stateKnown]+counts[statePinned]+counts[stateRecorded] == len(found)
	switch {
	case unwritten != nil:
		return errors.Join(unwritten, err)
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case !trustedAll:
		return &exitError{status: exitHosts}
	}
	return nil
}

// printKeys prints a line for each host.
func printKeys(w io.Writer, found []trusted) error {
	if len(found) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, gap, ' ', 0)
	fmt.Fprintln(table, "HOST\tADDRESS\tKEY\tFINGERPRINT\tSTATE")
	for _, f := range found {
		kind, fingerprint := describe(f.HostKey)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", printable(f.Host), printable(f.Address), kind, fingerprint, f.state)
	}
	return table.Flush()
}

// describe returns type and fingerprint of the key that a host has shown; of a certificate those of the key in it.
func describe(k controller.HostKey) (kind, fingerprint string) {
	if k.Shown == nil {
		return "-", "-"
	}
	key := k.Shown.Key
	if certificate, ok := key.(*ssh.Certificate); ok {
		key = certificate.Key
	}
	return strings.TrimPrefix(key.Type(), "ssh-"), ssh.FingerprintSHA256(key)
}

// printProblems says why hosts are not trusted, each with advice; of unknown ones there is nothing more to say.
func printProblems(w io.Writer, found []trusted) {
	for _, f := range found {
		problem := f.Failure
		if f.err != nil {
			problem = failure.From(failure.Handshake, f.err)
		}
		if f.state == stateOther {
			_, fingerprint := describe(f.HostKey)
			fmt.Fprintf(w, "%s (%s): it shows %s, which --fingerprint does not name\n", printable(f.Host), printable(f.Address), fingerprint)
		}
		if problem == nil || f.recorded || f.state == stateUnknown && f.err == nil {
			continue
		}
		fmt.Fprintf(w, "%s (%s): %s: %s\n    %s\n", printable(f.Host), printable(f.Address), problem.Stage,
			printable(problem.Err.Error()), printable(problem.Help()))
	}
}

type trustResult struct {
	Host        string `json:"host"`
	Address     string `json:"address"`
	Type        string `json:"type,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	State       string `json:"state"` // known pinned unknown changed refused another recorded, or "not seen"
	Error       string `json:"error,omitempty"`
	Advice      string `json:"advice,omitempty"`
}

func trustJSON(found []trusted) []trustResult {
	results := make([]trustResult, len(found))
	for i, f := range found {
		r := trustResult{Host: f.Host, Address: f.Address, State: strings.ToLower(f.state)}
		if f.Shown != nil {
			r.Type, r.Fingerprint = describe(f.HostKey)
		}
		problem := f.Failure
		if f.err != nil {
			problem = failure.From(failure.Handshake, f.err)
		}
		if problem != nil && !f.recorded {
			r.Error, r.Advice = problem.Err.Error(), problem.Help()
		}
		results[i] = r
	}
	return results
}
