// Package config turns muster.xml into a [Config]: everything in it is checked, inherited and resolved, so that nothing
// behind it has to look at the document again, or to have a default of its own.
//
// # What it owns
//
// The format, in the namespace urn:muster:config:1: its elements and attributes, their defaults, what is inherited from
// group to host, the syntax of durations, percentages, sizes and addresses, and where secrets come from. The format is
// written down twice, as the structs of elements.go and as the XSD that [Schema] returns; a test holds them together. An
// attribute is added by a field there, a line in the XSD and a row in docs/configuration.md.
//
// # What it refuses
//
// Whatever it does not understand. An unknown element or attribute, text, another namespace, a value out of range, a
// limit on a statistic that does not exist: each is a [Mistake] with file, line and column, and with the nearest known
// name. [Load] returns all of them at once. It does not connect to anything, and does not look at key and known_hosts
// files: a visit does, and says what is wrong with them.
//
// # Promises
//
// With any mistake there is no Config. A literal secret, or a file that holds one, is refused where others can read it.
// A [Secret] prints as [secret], and no message quotes a value that may hold one.
//
// # Concurrency and failure
//
// Nothing here keeps state or starts anything. Load blocks on the file system only, and reads at most [MaxSize] bytes;
// [Parse] asks for everything outside the document through its [Environment]. A Config may be read from many goroutines
// and must not be changed: hosts share the slices they inherit.
package config
