// Package mail tells people of alerts: it renders what one receiver is told of one sweep, and hands mails to an SMTP
// server.
//
// [Render] makes one [Message] of a [Digest], however many hosts exceed their limits: text and HTML with the same
// content. [Sender] connects, sends and disconnects; it keeps no connection, no queue and no goroutine between calls.
// Keeping mails until they are accepted, and deciding when to try again, is its caller's: [Error] has what it takes.
//
// Promises:
//   - A message is stable: the same digest makes the same ID, and with it the same Message-ID and bytes, so that a mail
//     sent again after a crash can be recognised as the same.
//   - What a host reports is shown and never obeyed: no header, no markup, no invisible character of it gets through.
//   - Nothing is left out in silence: where rows are too many the mail says how many more and where they are.
//   - The server is verified and the connection encrypted before a password is sent, unless the server is on loopback.
//     Passwords are never in an error, whatever the server answers.
//   - Every step has a deadline that ends it, and a cancelled context ends it at once.
//
// It refuses nothing else: addresses, limits and hosts are checked where the configuration is read. Everything here is
// safe for concurrent use.
package mail

import "time"

// Message is a mail, rendered and ready to be kept or sent. It is a plain value.
type Message struct {
	ID      string    // left part of the Message-ID; the right one is the sender's domain
	Date    time.Time // when it was composed; zero: when it is sent
	From    string    // RFC 5322 address; empty: the Server's
	To      string    // RFC 5322 address, one
	Subject string
	Text    string
	HTML    string // empty: the mail is text alone
}
