package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	natsPort = 4222 // where a NATS server listens unless it says otherwise

	// leastQueue holds a sweep of some thousand hosts; with less, any outage of the database would be refused visits.
	leastQueue = 64 << 20
	mostQueue  = 1 << 50

	// leastAge is longer than a database's upgrade takes.
	leastAge = time.Hour
	mostAge  = 366 * 24 * time.Hour
)

// natsURLs names the servers of a NATS cluster: URLs with commas between them, where all but the first may leave out the
// scheme. Each has its port.
type natsURLs []string

// confidential: people write passwords and tokens into such URLs.
func (n *natsURLs) confidential() {}

func (n *natsURLs) parse(text string) error {
	if trimmed(text) == "" {
		return errEmpty
	}
	scheme := ""
	for item := range strings.SplitSeq(text, ",") {
		item = trimmed(item)
		if item == "" {
			return errors.New("must be URLs with commas between them: one is missing")
		}
		own, rest, found := strings.Cut(item, "://")
		switch {
		case !found && scheme == "", found && own != "nats" && own != "tls":
			return errors.New("must begin with nats:// or tls://, as in nats://a.example.org:4222,b.example.org:4222")
		case !found:
			rest = item
		case scheme != "" && own != scheme:
			return errors.New("must be nats:// for all servers or tls:// for all")
		default:
			scheme = own
		}
		server, err := natsServer(rest)
		if err != nil {
			return err
		}
		if url := scheme + "://" + server; !slices.Contains(*n, url) {
			*n = append(*n, url)
		}
	}
	return nil
}

// natsServer reads what follows the scheme: a host, and a port unless it is the usual one.
func natsServer(text string) (string, error) {
	// First, so that no part of a password is taken for anything else, and shown.
	if user, _, found := strings.Cut(text, "@"); found {
		if strings.Contains(user, ":") {
			return "", errPasswordInURL
		}
		return "", errors.New(`must not hold a user or a token: say username="…" and password="…", or credentials="…", beside it`)
	}
	if strings.ContainsAny(text, "/?#") {
		return "", errors.New("must end with the host or the port: nothing may follow it")
	}
	host, port, err := parseEndpoint(text)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(string(host), strconv.Itoa(cmp.Or(port, natsPort))), nil
}

// size is a number of bytes.
type size int64

func (s *size) parse(text string) error {
	value, err := parseSize(trimmed(text), errors.New("must be a size such as 512MiB, 10GB, 1.5TiB or a number of bytes"))
	// What is beyond every bound need not be exact.
	*s = size(math.Round(min(value, math.MaxInt64/2)))
	return err
}

// replicas is how many servers of a cluster hold each message; JetStream knows no more.
type replicas int

func (n *replicas) parse(text string) error { return parseWhole((*int)(n), text, 5) }

func (r *resolver) queue(e *queueElement) Queue {
	q := Queue{Replicas: 1, Size: 4 << 30, Age: 7 * 24 * time.Hour}
	if e == nil {
		return q
	}
	q.Size = r.queueSize(e.Size, q.Size)
	q.Age = r.between(e.Age, q.Age, leastAge, mostAge)
	if e.URL == nil {
		r.embedded(e)
		return q
	}
	q.URLs = e.URL.or(nil)
	q.Username = string(e.Username.or(""))
	q.Password = r.secret(e.Password)
	q.Credentials = r.credentials(e.Credentials)
	q.CA = r.optionalFile(e.CA)
	q.Replicas = int(e.Replicas.or(3))
	r.queueLogin(e)
	return q
}

// embedded notes what only a cluster has.
func (r *resolver) embedded(e *queueElement) {
	const cluster = `means nothing without url="…": the server's own queue is nobody else's`
	if e.Username != nil {
		r.wrong(&e.Username.mark, cluster)
	}
	if e.Password != nil {
		r.wrong(&e.Password.mark, cluster)
	}
	if e.Credentials != nil {
		r.wrong(&e.Credentials.mark, cluster)
	}
	if e.CA != nil {
		r.wrong(&e.CA.mark, cluster)
	}
	if e.Replicas.or(1) != 1 {
		r.wrong(&e.Replicas.mark, `must be 1 without url="…": the server's own queue has nowhere to put a copy`)
	}
}

// queueLogin checks what goes together for a cluster.
func (r *resolver) queueLogin(e *queueElement) {
	hasPassword := e.Password != nil && (e.Password.wrong || e.Password.value != "")
	hasCredentials := e.Credentials != nil && (e.Credentials.wrong || e.Credentials.value != "")
	switch {
	case hasCredentials && (e.Username != nil || hasPassword):
		r.wrong(&e.Credentials.mark, "says who logs in already: leave it out, or the user name and the password")
	case e.Username != nil && !hasPassword:
		r.wrong(&e.Username.mark, `needs password="…" beside it`)
	case e.Username == nil && hasPassword:
		r.wrong(&e.Password.mark, `needs username="…" beside it`)
	}
	encrypted := e.CA != nil && (e.CA.wrong || e.CA.value != "")
	if hasPassword && !encrypted && slices.ContainsFunc(e.URL.or(nil), inClear) {
		r.wrong(&e.URL.mark, "would send the password over the network for everyone to read: use tls://, or say ca=\"…\" too")
	}
}

// inClear reports whether what is sent to a NATS server crosses a network, and may do so unencrypted.
func inClear(url string) bool {
	server, clear := strings.CutPrefix(url, "nats://")
	host, _, err := net.SplitHostPort(server)
	return clear && err == nil && !address(host).loopback()
}

// credentials finds a NATS credentials file. It holds a private key that proves who logs in, so that, like a password,
// it must be nobody else's to read.
func (r *resolver) credentials(a *attribute[optionalPath]) string {
	path := r.optionalFile(a)
	if path == "" {
		return ""
	}
	_, access, err := r.environment.ReadFile(path, longestSecret)
	switch {
	case err != nil:
		r.wrong(&a.mark, "the file %s can't be read: %v", quoted(path), err)
	case access.exposed():
		r.wrong(&a.mark, "others can read the file %s (its mode is %04o): chmod 600 it", quoted(path), access.Mode.Perm())
	}
	return path
}

// queueSize returns how many bytes may wait.
func (r *resolver) queueSize(a *attribute[size], otherwise int64) int64 {
	value, ok := a.given()
	if !ok {
		return otherwise
	}
	if value < leastQueue || value > mostQueue {
		r.wrong(&a.mark, "must be from %s to %s", spellSize(leastQueue), spellSize(mostQueue))
		return otherwise
	}
	return int64(value)
}

// spellSize returns a size as a person writes it: in the largest unit that divides it.
func spellSize(bytes int64) string {
	for _, unit := range []string{"PiB", "TiB", "GiB", "MiB", "KiB"} {
		if factor := int64(sizeUnit(unit)); bytes >= factor && bytes%factor == 0 {
			return fmt.Sprint(bytes/factor, unit)
		}
	}
	return fmt.Sprint(bytes, "B")
}
