// Package faults is the fault bench: it runs the real server against real hosts, a real database and a real mail server,
// breaks all of them on a schedule drawn from a seed, and balances the books at the end.
//
//	make faults                      the long form: hundreds of kills, a quarter of an hour
//	go test ./internal/faults        the short form, and the tests of the books
//
// The package itself is the part that is pure: [Track] draws faults from a seed, [ReadJournal] reads what the server says
// it has taken over, [ParseLetter] reads what it mailed, and each [Book] compares what was promised with what is there.
// The part that starts, kills and cuts is in its tests, for Linux, and thin.
//
// The bench sees the server from outside alone: its process, its log, its database, its mails, and the hosts it visits.
// Nothing in the server knows of it, so that what it finds is what a user would have found.
//
// # Books
//
// A host numbers each run of the client, on the client's standard error, and keeps count. The number comes back in the
// visit's log and is stored with the visit. So a visit that was lost, that was stored twice, or under another's name, can
// be told. It numbers the lines of its log likewise, and knows which of them it destroyed. A later kind of data becomes part
// of the bench as a further Book.
//
// A balance is of a moment when nothing is under way any more. A book refuses to guess: what it can't tell, because the
// server's clock was set to another year just then, say, it leaves out, and the documentation of its fields says so.
//
// Values of this package are not safe for concurrent use, and nothing in it blocks.
package faults
