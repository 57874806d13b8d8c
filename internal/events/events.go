// Package events knows what log records mean: the names and meanings of the Windows events that administrators know, logon
// types and status codes in words, and which records say that somebody logged in, or failed to.
//
// It is pure: a record in, words out. It says what a person reads, what the columns logon, account and address of the table
// logs hold, and which records are meant where a configuration says logon="…"; what becomes of them is not its matter. All of
// it may be called from many goroutines.
//
// # Who failed to log in
//
// LogonOf answers it for one record, and one failed attempt is to be one record, although most programs write several lines of
// it. This is the one that counts:
//
//   - Windows: 4625, where the attempt was made. A domain controller that refuses says so itself (4771, 4768, 4776), which is
//     a record of another host; a 4776 that names its own computer as the source comes with a 4625, and does not count. Nor
//     do the parts of Kerberos that only look like failures (0x19, pre-authentication is needed; 0x34, by TCP please).
//   - OpenSSH: "Failed METHOD for …", and "error: PAM: … for …" where PAM asks for the password. Not "Invalid user …", "Connection
//     closed by … user …" and "maximum authentication attempts exceeded", which come before and after it, and not PAM's own
//     line. "Failed publickey" counts for users that do not exist alone: a client offers one key after the other until one
//     fits. "Failed none" is how clients ask what may be tried.
//   - PAM, of other programs (login, su, sudo, display managers, FTP and mail servers): "authentication failure; …". Not the
//     summaries of these programs ("3 incorrect password attempts", "FAILED LOGIN").
//
// What somebody who is not logged in sends stands in these lines: a user's name may be "root from 10.0.0.1 port 22 ssh2". So
// the parts of a line are taken from that end at which nobody else could have written.
package events

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"muster/internal/report"
)

// Providers of events that this package knows, as records name them in Source.
const (
	auditing  = "Microsoft-Windows-Security-Auditing"
	eventLog  = "Microsoft-Windows-Eventlog" // of what became of logs themselves
	startStop = "EventLog"                   // of what it saw of the machine's starts and stops
	services  = "Service Control Manager"
	openSSH   = "OpenSSH" // the lines of its server
)

// Event is what is known of one kind of event.
type Event struct {
	ID       int64
	Channel  string // where it stands
	Provider string
	Name     string // what happened
	Meaning  string // why somebody should know, in a sentence or two
	Link     string // the page of Microsoft's documentation that says more; empty: there is none

	// form is what Describe says after the name: pieces divided by "|", each left out where a value that it names in braces
	// is empty. A value is the field of that name; see value for others.
	form string
}

// Catalogue returns the events that this package knows, ordered as they are documented.
func Catalogue() []Event {
	return slices.Concat(logons(), accounts(), groups(), policies(), objects(), programs(), trail(), machine())
}

// Lookup returns what is known of a record's event, by its id and provider.
func Lookup(r *report.Record) (Event, bool) {
	e := lookup(r)
	if e == nil {
		return Event{}, false
	}
	return *e, true
}

// key identifies an event: ids are the provider's own.
type key struct {
	id       int64
	provider string // in lower case
}

// lookup is Lookup without the copy. What it returns is shared and never changed.
func lookup(r *report.Record) *Event {
	if r.Event == 0 {
		return nil
	}
	return index()[key{r.Event, strings.ToLower(r.Source)}]
}

// index holds the catalogue by id and provider. The first call makes it; from then on it is only read.
var index = sync.OnceValue(func() map[key]*Event {
	catalogue := Catalogue()
	index := make(map[key]*Event, len(catalogue))
	for i := range catalogue {
		e := &catalogue[i]
		index[key{e.ID, strings.ToLower(e.Provider)}] = e
	}
	return index
})

// pages is where Microsoft documents the events of audits.
const pages = "https://learn.microsoft.com/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/"

// audit is an event of the channel Security that has a page of its own.
func audit(id int64, name, meaning, form string) Event {
	return auditAt(fmt.Sprintf("event-%d", id), id, name, meaning, form)
}

// auditAt is an event of the channel Security that stands on another page.
func auditAt(page string, id int64, name, meaning, form string) Event {
	return Event{ID: id, Channel: "Security", Provider: auditing, Name: name, Meaning: meaning, Link: pages + page, form: form}
}

// has reports whether a record has a field of this name, whatever its value.
func has(r *report.Record, name string) bool {
	return slices.ContainsFunc(r.Data, func(f report.Field) bool { return f.Name == name })
}

// field returns the value of the first field of this name, or "". Windows writes "-" where it has none.
func field(r *report.Record, name string) string {
	for i := range r.Data {
		if r.Data[i].Name == name {
			value := strings.TrimSpace(r.Data[i].Value)
			if value == "-" {
				return ""
			}
			return value
		}
	}
	return ""
}
