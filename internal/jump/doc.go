// Package jump shares the connections to jump hosts: many visits go through one.
//
// A Gateway stands for one jump host, reached and logged in to in one way. It owns at most one connection that visits are
// let into. The first visit that comes has it opened, and all others that come meanwhile wait for the same login; when it
// was idle for a while it is closed again. The Pool has the gateways, and owns every goroutine and connection of theirs.
//
// What it promises:
//
//   - At most Host.Sessions visits are inside at once. The others wait, and are let in in the order in which they came.
//     Beside them, a jump host that is reached through this one has one connection here.
//   - One login at a time. After one that failed, or a connection that broke soon after it, there is none for a while:
//     until then everybody gets that failure at once. A password that was refused is not sent a second time until the host
//     is configured otherwise, so that no account is locked out; where Login.Passwords is asked that is for it to say.
//   - When the connection breaks, everybody inside gets a failure of the kind failure.JumpFailed at once, which names the
//     jump host and says what happened to it. Who comes next opens a new connection. A jump host that dies without a word
//     is noticed, since it is asked for a sign of life while nothing is heard of it.
//   - What a visit leaves behind on the jump host (it does not confirm that a connection is closed, or still tries to
//     connect to a host that does not answer) holds its place for a second, and no longer. Is there much of that, the
//     connection takes nobody in any more and is closed when the last has left it.
//   - The jump host is verified and authenticated like any host, and so is the host behind it: what passes through is
//     encrypted from end to end. See docs/security.md.
//
// All methods may be called by any number of goroutines at once.
package jump
