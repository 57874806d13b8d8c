// Package journal reads systemd's journal, by running journalctl.
//
// # What it promises
//
// Every entry that the account may read comes once, in the order in which journald numbered it. An entry's id is its sequence
// number. What was removed before it was read is a gap, as far as it can be known.
//
// # How
//
// Journald writes several files: of the system and of users, of now and of the past. Those with the same sequence number id
// (a "stream" here) are numbered in one sequence; of others the numbers say nothing. Up to systemd 253 users' journals are
// streams of their own, and after a crash, or a start with the journal in memory only, another stream begins. The order in
// which journalctl shows several streams at once is made of clocks, and has changed from version to version. So this
// package
//
//   - reads the files' headers (their form is documented, and has been the same since the first version): they say of which
//     stream a file is, and which numbers are in it. Where nothing is new that is all there is to do;
//   - has journalctl read one stream at a time, the files that have something new (--file), and nothing beyond what the
//     headers had: so a reading ends whoever writes;
//   - looks afterwards whether they are still the same files. If not (journald began new ones in between) it reads again.
//
// An answer holds records of one stream, under an epoch; where others have something new it says More. How far each
// stream was read is the cursor's position.
//
// The output is journalctl's "export" format: a quarter of the cost of JSON, and exact for fields that are not text. The
// place to begin is given as --cursor, with the number of the last entry that was read, which is recognised by its time.
// --after-cursor is not used: up to version 254 it leaves out an entry where the one at the cursor is not among those
// selected. No option is used that systemd 219 does not have.
//
// # What it refuses
//
// Journals of other machines in the same folders, and journald's namespaces: journalctl does not show them either.
//
// # Failure
//
// A file that the account may not read is trouble of the kind "denied", with what could be read beside it. Of a damaged
// file what can be read is read. Journalctl passes over damaged parts in silence; where all of a stream is read the holes in
// its numbers tell. With a filter by levels it is not, and they are not seen.
//
// A Reader is safe for concurrent use and holds nothing open. It starts journalctl in a group of its own, with a clean
// environment, and waits for its end; where ctx ends it kills it.
package journal

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// Options say where the journal is. The zero value is this machine's.
type Options struct {
	Program string   // the path of journalctl; empty: as found in /usr/bin, in /bin or on PATH
	Folders []string // with journal files; empty: those of this machine below /var/log/journal and /run/log/journal
}

// Source returns the journal of this machine as a source of log records.
func Source() logs.Source {
	return logs.Source{Takes: func(channel string) bool { return channel == report.Journal }, Read: Reader(Options{})}
}

// Reader returns what reads a journal.
func Reader(o Options) logs.Reader {
	return func(ctx context.Context, q logs.Query) report.Logs {
		program, folders := o.Program, o.Folders
		if program == "" {
			program = find()
		}
		if program == "" {
			return trouble(q, report.TroubleAbsent, "there is no journalctl on this host, neither in /usr/bin or /bin nor on PATH: it has no journal of systemd")
		}
		if len(folders) == 0 {
			machine := machineID()
			if machine == "" {
				return trouble(q, report.TroubleAbsent, "/etc/machine-id does not say this machine's id, by which its journal is found")
			}
			folders = []string{filepath.Join("/var/log/journal", machine), filepath.Join("/run/log/journal", machine)}
		}
		if q.Filter.XPath != "" || !q.Filter.Events.Has(0) {
			return trouble(q, report.TroubleQuery, "the journal has neither event ids nor XPath: select by levels and providers")
		}
		return read(ctx, q, program, folders)
	}
}

// machineID returns the id of this machine: machine-id(5).
func machineID() string {
	text, err := os.ReadFile("/etc/machine-id")
	id := strings.TrimSpace(string(text))
	if err != nil || !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(id) {
		return ""
	}
	return id
}

// trouble answers that nothing could be read.
func trouble(q logs.Query, kind report.TroubleKind, text string) report.Logs {
	return report.Logs{
		Channel: q.Channel, Epoch: q.Cursor.Epoch, Next: q.Cursor,
		Trouble: &report.Trouble{Kind: kind, Text: text},
	}
}
