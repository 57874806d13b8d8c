// Package store is the database handler: it keeps sweeps, visits, statistics, log records and alerts in SQLite, MySQL or MariaDB, or
// PostgreSQL, and reads back what the server itself needs of them. People read the rest with SQL: docs/database.md.
//
// It owns the schema (migrations, in each engine's SQL), the transactions, and what a database failure is called. It
// alone imports the ORM, the drivers and the migration library. It refuses a database of a newer version of the program (and,
// where it is asked to leave the database as it is, one that is not there or older), a URL with a password in it, and visits without id, host or sweep.
//
// What it promises:
//
//   - A visit is stored in one transaction, with the others of its Save unless they take too long together. Whatever Save
//     is given twice is stored once: the primary keys see to it, so a delivery can be repeated after a crash, also by
//     another server. When Save returns nil the data is on the disk.
//   - Log records, what is missing of them, and the cursor after them are stored in one transaction of SaveLogs, which is
//     as repeatable. Their ids are in the order in which transactions end, so that who follows misses none. Cursors reads
//     the cursors back, for a server that has lost its own.
//   - What is noted of a host, and the end of a sweep, only move forward, in whatever order deliveries arrive. There is one
//     exception: a host's visit that is more than an hour ahead of the one delivered was stamped by a clock that was ahead,
//     and gives way, so that such a jump does not freeze what people see. An alert is what it was last saved as: its one
//     owner has its latest state, whatever the clock says.
//   - A text can't spoil a batch: NUL and invalid UTF-8 are taken out, and what is longer than its column is shortened,
//     keys so that different ones stay different. A value that is not a finite number is left out and logged.
//   - No call hangs: connecting is bounded by 10 seconds, a transaction and each question about the version by a minute, and
//     waiting for another server's migration by five. Only a migration of one's own takes as long as it takes, and says so
//     in the log, and Verify and Backup, which read everything. Cancelling the context ends all of them. Deadlocks, lock
//     time-outs and lost connections are tried again a few times, within about a second.
//   - Prune, Usage, Verify and Backup may run while others write, here or in another process, and delay nobody for longer
//     than a short transaction.
//   - The password is in no error and in no log. No statement is logged.
//
// Errors that wrap ErrUnavailable are temporary: the database can't be used now, the same call may succeed later. Any
// other error of Save means that the same visits would be refused again.
//
// A Store is safe for concurrent use. It starts no goroutine of its own.
package store
