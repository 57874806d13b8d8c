// Package config turns muster.xml into a [Config]: everything in it is checked, inherited and resolved, so that nothing
// behind it has to look at the document again, or to have a default of its own.
//
// # What it owns
//
// The format, in the namespace urn:muster:config:1: its elements and attributes, their defaults, what is inherited from
// group to host, the syntax of durations, percentages, sizes and addresses, where secrets come from, what a host is reached
// through, and how other files and what commands print become part of it. The format is written down twice, as the structs
// of elements.go and as the XSD that [Schema] returns; a test holds them together. An attribute is added by a field there, a
// line in the XSD and a row in docs/configuration.md.
//
// The document is read (reader.go), what it includes is put in its place (include.go), the hosts that commands print are put
// in theirs (printed.go), and all of it is resolved: first what each machine inherits (fleet.go, login.go), then the ways
// between them (via.go).
//
// # What it refuses
//
// Whatever it does not understand. An unknown element or attribute, text, another namespace, a value out of range, a
// limit on a statistic that does not exist: each is a [Mistake] with file, line and column, and with the nearest known
// name. [Load] returns all of them at once. What a command prints is checked as the document is, and refused likewise. The
// package does not connect to anything, and does not look at key and known_hosts files: a visit does, and says what is wrong
// with them.
//
// # Promises
//
// With any mistake there is no Config. A literal secret, or a file that holds one, is refused where others can read it.
// A [Secret] prints as [secret], and no message quotes a value that may hold one.
//
// # Concurrency and failure
//
// Nothing here keeps state, but for the names that a [Loader] remembers. Load blocks on the file system, where it reads at most [MaxSize] bytes of documents, and on the
// commands of the configuration, one after the other, each until its time is up: [LoadContext] ends them earlier, and
// [LoadSettings] runs none. [Parse] asks for everything outside the document through its [Environment]. A Config may be read
// from many goroutines and must not be changed: hosts share the slices that they inherit, and the hosts they go through.
package config
