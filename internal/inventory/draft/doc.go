// Package draft writes a configuration of Muster for a fleet that another program knows: muster init --from.
//
// # What it owns
//
// How such a configuration looks: groups as the inventory has them, what all hosts of a group share said at the group, what
// was not understood in comments where a reader looks for it.
//
// # What it refuses
//
// Secrets: a password that stood in an inventory becomes a comment that says where to put it.
//
// # Promises
//
// What is written loads. A host that would be a mistake stands in a comment that says why, and so does one that Muster can't
// reach. The same inventory gives the same document. It reads and writes no file.
package draft
