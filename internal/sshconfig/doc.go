// Package sshconfig reads ssh_config(5) as far as it says how to reach a host: its real name, its port and user, keys,
// certificates and known_hosts files, and the jump hosts on the way.
//
// It reads what OpenSSH reads: Host with patterns and exclusions, Match (all, host, originalhost, user, localuser, canonical,
// final), Include, quotes, comments; the first value that is found holds, and keys add up. For each host it says what is
// found, as it is written; Expand then fills in the tokens (%h, ~, ${NAME}). A property test compares it with ssh -G.
//
// It runs no commands and looks up no names. What it does not do and what would lead elsewhere if it were left out
// (ProxyCommand, Match exec, CanonicalizeHostname, RevokedHostKeys …) is a Problem of the hosts that it concerns, never passed
// over in silence; keywords that have nothing to do with reaching a host are.
//
// A Config is immutable and may be used by many goroutines. Hosts named without wildcards are found by an index, so that
// ten thousand hosts and ten thousand Host lines are no hundred million comparisons.
package sshconfig
