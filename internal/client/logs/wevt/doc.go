// Package wevt reads the Windows event log through wevtapi.dll, record by record, each once.
//
// Read does the work on any platform, with what it needs of Windows behind the interface Log; Source is the reader with
// the real one, on Windows alone. The XML of an event is made a record by package winevent.
//
// # Where a reading goes on
//
// A record's id is its EventRecordID. The cursor's Position is a mark of the record that was read last: a hash of its id, time
// (to 100 ns), event id and source. It is not one of the XML, because versions of Windows print the same record in different
// ways (a fraction of a second with seven digits or with nine, a GUID in capitals or not), and an upgrade of the host must
// not look like another log. Before anything is read the cursor's record is looked for:
//
//   - It is there with the same mark: the reading goes on behind it.
//   - Another record has its id, or all ids are below it: the log was made anew (the host was installed or reset), a new
//     epoch begins with all that is there, and what the old log may still have had is a possible gap.
//   - It is gone, and the oldest id is above it: records were rotated away, or the log was cleared. The ids of a log that is
//     cleared go on, so the epoch does too, and the ids that are missing are a gap.
//   - The log is empty: the cursor stays.
//
// So a log that was made anew is taken for one that was rotated if that is so far on that its oldest id is above the cursor's.
//
// # Epochs
//
// An epoch is known by the answer with which it began (its identity): the first id that was to be read, and the id and the mark
// of the last. Whether that answer was kept nobody knows until the cursor is of the epoch. Until then it is read again, from
// the same first id to the same last one: so nothing behind the last ever comes under the epoch's number, and no record
// under an id that was another's. What of it was rotated away is a possible gap. Where its log is another one by then
// a third one begins, with the oldest record that there is, and what the log had from that answer on is a possible gap. The
// third epoch's identity says so, too, for the answer that tells it may be lost as well.
//
// An epoch that begins in a log without records never gets any: there is nothing to know that log by. It says that whatever
// comes is wanted, and the first records begin another.
//
// # Gaps
//
// The ids of a channel are given without holes. Where all records are looked at, an id that is missing is a gap, also in the
// midst of a reading. Where Windows filters, a gap is what is older than the oldest record; it is a possible one, as with any
// filter. Nobody was promised what is older than the first reading.
//
// # Filters
//
// Windows evaluates XPath over all records of a channel from its beginning, however few are new. So when there are few
// (near), they are all read and Filter.Match selects. Otherwise the filter becomes XPath as far as Windows takes it, and Match
// does the rest. Names of providers are selected by Match alone, for it does not mind their case. An XPath of the user's own is
// always Windows's to evaluate; a whole QueryList must name the channel and no other.
//
// # Failure
//
// An error of Windows is a Code. 1734 (RPC_S_INVALID_BOUND: a batch was too large, and the position has moved in spite of it) and
// 15011 (the result is stale) have the query made anew behind the last good record, the first with half the batch. Records
// that Windows can't render are gaps. If Windows takes all the time there is to find a first record, the channel is slow: so
// that is seen, and not taken for a channel with much to read. Everything else ends the reading, with what was read before.
//
// A reading is one goroutine's, opens nothing that it does not close, and stops between two records when its context ends.
package wevt

//go:generate go tool -modfile=../../../../tools/go.mod mkwinsyscall -output zsyscall_windows.go syscall_windows.go
