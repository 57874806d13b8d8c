// Package store is the database handler: it keeps sweeps, visits, statistics and alerts in SQLite, MySQL or MariaDB, or
// PostgreSQL, and reads back what the server itself needs of them. People read the rest with SQL: docs/database.md.
//
// It owns the schema (migrations, in each engine's SQL), the transactions, and what a database failure is called. It
// alone imports the ORM, the drivers and the migration library. It refuses a database of a newer version of the program, a
// URL with a password in it, and visits without id, host or sweep.
//
// What it promises:
//
//   - A visit is stored in one transaction, with the others of its Save unless they take too long together. Whatever Save
//     is given twice is stored once: the primary keys see to it, so a delivery can be repeated after a crash, also by
//     another server. When Save returns nil the data is on the disk.
//   - The time that a host was last seen and the end of a sweep only move forward, in whatever order deliveries arrive. An
//     alert is what it was last saved as: its one owner has its latest state, whatever the clock says.
//   - A text can't spoil a batch: NUL and invalid UTF-8 are taken out, and what is longer than its column is shortened,
//     keys so that different ones stay different. A value that is not a finite number is left out and logged.
//   - No call hangs: connecting is bounded by 10 seconds and a transaction by a minute, and cancelling the context ends
//     both. Deadlocks, lock time-outs and lost connections are tried again a few times, within about a second. Only
//     Verify and Backup, which read everything, take as long as that does.
//   - Prune, Usage, Verify and Backup may run while others write, here or in another process, and delay nobody for longer
//     than a short transaction.
//   - The password is in no error and in no log. No statement is logged.
//
// Errors that wrap ErrUnavailable are temporary: the database can't be used now, the same call may succeed later. Any
// other error of Save means that the same visits would be refused again.
//
// A Store is safe for concurrent use. It starts no goroutine of its own.
package store
