// Package deploy knows which client a host needs, and puts it there: what platform the host is, the programs that are built
// into the server, the folders of a host in which one of them can live, and whether it is there already.
//
// A client is named by its content (muster-client-<hash>), so that a name is never used for two programs. It is written
// under a temporary name that nobody else has, with mode 0700 while it is still empty; its SHA-256 is checked, by the host's
// own tool (sha256sum, shasum, sha256, certutil) or, where there is none, by reading it back; then it is renamed into place
// and run once to see that it runs there. So two servers, or two visits, that install at the same time do each other no
// harm, and what has the name is whole. A client that is there already is not uploaded again. The check is against damage
// and strangers: a host's administrator, who can make a tool say anything, can also run another program in the client's
// place.
//
// It needs SFTP, or a POSIX shell where there is none: Dropbear has no SFTP of its own, and hardened hosts switch it off. The
// promises are the same either way. A client that an administrator has installed needs neither (Standing).
//
// # Folders
//
// Without a configured folder several are tried, because a home may be read-only, full or mounted noexec: the user's cache
// folder first, then /var/tmp, /tmp, /run/user and, on Linux, /dev/shm. A configured one is the only one tried. A folder
// that somebody else could tamper with is refused: a client is never run from where others may replace it. In a place that
// everybody can write to it lives in a folder muster-<uid> of the user's own. What was vetted, with all symbolic links resolved,
// is what is used. Outside the home that holds for the visit only (Installed.Shared).
//
// # Leftovers
//
// Whoever uploads a client tidies its folder: temporary files of broken uploads and reports that nobody fetched go after an
// hour, other versions of the client after a week. The week is there for servers of different versions that visit the
// same account: they would otherwise remove each other's client in every sweep. The age is reckoned by the host's own clock.
// What can't be removed stays: on Windows that is a client that runs. One that is damaged is renamed there, to make room.
//
// The package keeps no memory of hosts: package visit remembers what Detect and Install returned. Failures are
// *failure.Error of the stages failure.Platform and failure.Deploy, without the host's name, which the caller knows. All
// functions are safe for concurrent use and end when their context does, by closing the connection.
package deploy
