// Package remote is one host's SSH connection: dial it, verify who answers, log in, run commands, move files.
//
// It owns everything that is SSH or SFTP in Muster and nothing else does: known_hosts and private keys, the order of
// authentication, deadlines, bounds on what a host may send, and the words in which a person reads what went wrong. It
// knows nothing of clients, reports or schedules.
//
// What it promises:
//
//   - A host's key is verified against known_hosts before anything secret is sent. There is no switch that turns this
//     off.
//   - Every call that can block ends when its context or its stage's deadline does, whatever the host does or fails to
//     do. It ends by closing the connection: there is no state in between from which to go on.
//   - A password is offered once in a connection, never a second time, so that a wrong one does not lock an account.
//   - What a host sends is bounded before it is kept: greeting and login, the output of a command, answers and folders
//     over SFTP, the size of a file.
//   - Close waits for every goroutine that the connection started.
//
// Failures of Dial are *failure.Error with host, stage, kind and advice. Those of a connection's methods are
// *failure.Error too, without host and stage, which only the caller knows: failure.From adds the stage. Their causes can
// be tested for with errors.Is and errors.As where that helps: fs.ErrNotExist, fs.ErrExist, fs.ErrPermission,
// *SignalError, ErrNoStatus.
//
// A HostKeys may be used by any number of dials at once. The methods of a Conn may be called from several goroutines;
// SFTP operations of one connection take turns.
//
// The protocols are those of RFC 4251 to 4254 (SSH), RFC 4256 (keyboard-interactive), RFC 8308 (extensions),
// draft-ietf-secsh-filexfer-02 (SFTP version 3) and OpenSSH's PROTOCOL file (posix-rename, statvfs).
package remote
