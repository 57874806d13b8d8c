// Package passwords decides when a password may be sent to a host, so that no visit locks an account.
//
// It owns what is known of refusals, in a table that outlives the process, and promises:
//
//   - A password that a host refused is not sent to that host again until the user, the host's address or the password
//     is another, or a person asks for it (Guard.Retry). That holds across restarts, and for one sweep run after the
//     other by cron.
//   - A password that many hosts share, as that of a domain's account, is not sent to all of them at once while none has
//     taken it: three hosts are tried, and when one takes it the rest follow. After three refusals by different hosts, and
//     none that took it since, it is not sent to any further one. What was taken long ago proves nothing: the first hosts
//     of a sweep prove it anew, which delays the others by the time of one login.
//   - A connection that is lost, or ends at its deadline, is no refusal. After three of them in a row without an answer
//     the password is not sent any more either: the host may have counted them all. Nor is a shared one sent to any further
//     host that was sent six times without an answer, by whatever hosts, and accepted by none: a wrong one may be answered
//     later than at the deadline.
//
// What is stored of a password is a keyed hash under a key that scrypt (RFC 7914) makes of the password and of random
// bytes in the table: neither says anything without the table, and with it each guess costs some hundredth of a second
// and 16 MB.
//
// A Guard is safe for concurrent use. It starts no goroutine.
package passwords
