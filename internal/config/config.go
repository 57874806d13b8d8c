package config

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/report"
)

// Namespace is the XML namespace of a configuration.
const Namespace = "urn:muster:config:1"

// MaxSize is the size in bytes of the largest configuration that is read: that of a million hosts.
const MaxSize = 64 << 20

// Config is a configuration that was checked: everything in it is resolved, inherited and in range.
type Config struct {
	File     string // the path it was read from
	Server   Server
	Database Database
	Queue    Queue
	Mail     *Mail    // nil: alerts are logged and stored, not mailed
	Hosts    []Host   // in the order of the document
	Warnings Mistakes // what is allowed but hardly meant: no hosts, receivers without a mail server …
}

// Server is how the server itself works.
type Server struct {
	Data      string // the data directory
	Interval  time.Duration
	Parallel  int           // visits at the same time, 1 to 10,000
	LogLevel  string        // debug info warn error
	LogFormat string        // text json
	LogFile   string        // empty: standard error
	Listen    string        // host:port of the HTTP server for health and metrics; empty: none
	SSHConfig string        // path of an ssh_config; empty: none is read
	Spread    time.Duration // over which the visits of a sweep begin, at most Interval; 0: they begin at once
	Backoff   time.Duration // the longest time for which a host that fails is left alone; 0: it is visited in every sweep
}

// Database is where reports go.
type Database struct {
	// URL is sqlite:PATH with a resolved path, or mysql://user@host[:port]/name[?parameters], or the same with
	// postgres. It never holds a password.
	URL      string
	Password Secret
	Keep     time.Duration // how long what was reported is kept, at least 24 hours; 0: for ever
}

// Queue is what reports and mails wait in until the database and the mail server have them.
type Queue struct {
	URLs        []string // of the servers of a NATS cluster, each nats://host:port or tls://host:port; empty: the server's own queue
	Username    string   // empty: no user name and no password
	Password    Secret
	Credentials string        // path of a NATS credentials file; empty: none
	CA          string        // PEM file of the authority that signed the servers' certificates; empty: the system's
	Replicas    int           // servers of the cluster that hold each message, 1 to 5; 1 for the server's own queue
	Size        int64         // bytes that wait at most, at least 64 MiB
	Age         time.Duration // how old the oldest that waits may get, at least an hour
}

// TLS reports whether the connection to a cluster must be encrypted: by the scheme of its URLs, or by a CA.
func (q *Queue) TLS() bool {
	return q.CA != "" || len(q.URLs) > 0 && strings.HasPrefix(q.URLs[0], "tls://")
}

// Mail is the mail server and what is sent through it.
type Mail struct {
	Host     string
	Port     int
	Security string // none starttls tls
	Username string // empty: no authentication
	Password Secret
	From     string   // RFC 5322 address
	To       []string // RFC 5322 addresses that get the alerts of hosts that name nobody; hosts have them in Mail already
	CA       string   // PEM file of the authority that signed the server's certificate; empty: the system's
	Timeout  time.Duration
}

// Host is one host, or a machine on the way to one, with everything it inherits.
type Host struct {
	Name           string   // unique, also without regard to case
	Groups         []string // names of the groups around it, outermost first; groups without a name are left out
	Address        string   // host name, or IP address without brackets
	Port           int
	User           string
	Keys           []string // private key files in the order in which they are offered
	Certificates   []string // OpenSSH user certificates; KEY-cert.pub beside a key counts without being named
	Passphrase     Secret   // of those keys that are encrypted; empty: none
	Agent          string   // path of an ssh-agent's socket; empty: none is asked
	Password       Secret   // empty: none; a host has keys, an agent or a password, and a method that uses one of them
	Authentication []string // methods in their order, of: publickey password keyboard-interactive
	KnownHosts     []string
	HostKeys       string   // strict accept-new
	Fingerprints   []string // SHA256:…; if there are any the host's key must have one of them, and KnownHosts are not asked
	KnownAs        string   // the name under which known_hosts has the host (ssh's HostKeyAlias); empty: its address
	Via            *Host    // the jump host to go through, which may have one itself; nil: none. Shared, never written to
	Sessions       int      // how many connections may go through it at once, where it is a jump host
	Transfer       string   // stdout file
	Directory      string   // on the host; empty: the defaults
	Client         string   // path of a client that is installed on the host; empty: it is uploaded
	Trouble        string   // why it can't be reached as the ssh_config says; empty: it can
	Sudo           bool     // the client is run by sudo -n
	Mail           []string // RFC 5322 addresses of the receivers, those of <mail to="…"> included; empty: nobody
	Timeouts       Timeouts
	Limits         []Limit      // no two of the same statistic, instance and direction; none of a machine that is only gone through
	Logs           []Logs       // no two of the same channel
	EventLimits    []EventLimit // of what Logs may bring home, no two of the same selection
	MailRecords    []Records    // each of which is mailed to the receivers; of what Logs may bring home
}

// Timeouts are the deadlines of a visit. A stage ends by its own or by that of the visit, whichever is first.
type Timeouts struct {
	Dial, Handshake, Authentication, Platform, Deploy, Run, Receive, Visit time.Duration
}

// Limit is what a statistic must not exceed. One of Above and Below is set. A limit on one instance takes precedence
// over that on all instances; where the configuration takes an instance out of a limit (above="none"), the bound is
// infinite, which nothing exceeds.
type Limit struct {
	Statistic string
	Instance  string // empty: every instance, each on its own
	Unit      string // of the statistic and of Above and Below
	Above     *float64
	Below     *float64
	For       time.Duration // how long it must be exceeded; 0: at once
}

// Logs is a channel of a host's logs that is brought home.
type Logs struct {
	Channel  string
	Filter   report.Filter
	Since    time.Duration // how far back the first reading goes; 0: from now on; report.SinceAll: all there is
	Raw      bool          // keep the records' raw form
	Messages bool          // have Windows render the events' messages
}

// Records are some of the log records that come home.
type Records struct {
	Channel string
	Filter  report.Filter // without XPath
	Logon   string        // logons of this outcome alone: events.Accepted, Failed or Any; empty: whatever they are about
}

// EventLimit is how many records there may be in so long: more than Above of them, with times that are no further apart than
// For, are an alert.
type EventLimit struct {
	Records
	Above int
	For   time.Duration
}

//go:embed config.xsd
var schema string

//go:embed example.xml
var example string

// Schema returns the XSD (XML Schema 1.0) of a configuration. The caller owns the result.
func Schema() []byte { return []byte(schema) }

// Example returns a configuration with comments, to start from: it loads without mistakes, and names no host yet: that
// and what is optional stand in comments. The caller owns the result.
func Example() []byte { return []byte(example) }

// Load is [LoadContext] with a context that does not end.
func Load(path string) (*Config, error) {
	return LoadContext(context.Background(), path)
}

// LoadContext is that of a [Loader] that has read nothing yet.
func LoadContext(ctx context.Context, path string) (*Config, error) {
	return new(Loader).LoadContext(ctx, path)
}

// Loader reads a configuration again and again, as a server does that reloads it. It remembers which variables of the
// environment the documents had secrets in: the process has them still when a document no longer names them, and the
// commands of the next one must not have them either. The zero value is ready for use, by several goroutines at once.
type Loader struct {
	mu        sync.Mutex
	variables []string
}

// LoadContext reads, checks and resolves a configuration, and runs the commands that it has hosts from. The error is a
// [Mistakes] where a document or a command is at fault, and wraps the operating system's (fs.ErrNotExist,
// fs.ErrPermission) where the configuration can't be read. Relative paths in a document begin at the document's folder.
// Cancelling ctx ends a command; the error is ctx's then.
func (l *Loader) LoadContext(ctx context.Context, path string) (*Config, error) {
	environment := System()
	environment.Run, environment.withhold = runner(ctx), l.withhold
	config, err := load(path, environment)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return config, err
}

// withhold adds variables to those that hold secrets, and returns all of them.
func (l *Loader) withhold(variables []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range variables {
		if !slices.Contains(l.variables, name) {
			l.variables = append(l.variables, name)
		}
	}
	return slices.Clone(l.variables)
}

// LoadSettings is [Load] for those who need no hosts: no command is run, and the hosts of commands are left out.
func LoadSettings(path string) (*Config, error) {
	return load(path, System())
}

func load(path string, environment Environment) (*Config, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: write one with muster init, or name another with -c", err)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name a file", path)
	}
	document, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err != nil {
		return nil, err
	}
	environment.Access = accessOf(info)
	return Parse(path, document, environment)
}

// Parse checks and resolves a document that was read from the path file. It reads and runs nothing itself but asks
// environment, and keeps no reference to document. The error is a [Mistakes].
func Parse(file string, document []byte, environment Environment) (*Config, error) {
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		folder = filepath.Dir(file)
	}
	notes := &notes{}
	first := notes.enter(&source{file: file, document: document, folder: folder, access: environment.Access})
	if len(document) > MaxSize {
		notes.add(0, "the configuration is larger than %d MiB", MaxSize>>20)
		return nil, notes.mistakes()
	}
	root := read(first, notes)
	if root == nil {
		return nil, notes.mistakes()
	}
	r := &resolver{notes: notes, environment: environment, doubted: map[string]bool{}}
	(&includer{resolver: r, bytes: MaxSize - len(document), files: mostFiles}).include(&root.contents)
	if environment.withhold != nil {
		notes.variables = environment.withhold(notes.variables)
	}
	(&asker{resolver: r}).ask(&root.contents)
	config := r.resolve(file, root)
	if mistakes := notes.mistakes(); len(mistakes) > 0 {
		return nil, mistakes
	}
	config.Warnings = notes.warnings()
	return config, nil
}
