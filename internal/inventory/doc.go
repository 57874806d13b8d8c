// Package inventory reads what other programs know of a fleet: Ansible's inventories (INI, YAML and the JSON of a dynamic
// one), an ssh_config, a CSV and a plain list of hosts. It makes of them an [Inventory], which says for every host what
// muster.xml would say of it.
//
// # What it owns
//
// The syntax and the meaning of those formats as far as they say how a host is reached and logged in to: ranges, children,
// the precedence of variables, the arguments of ssh. What it does not understand becomes a remark, and is never guessed.
//
// # What it refuses
//
// What can't be read as the format that it is: the error is an [Error] with the file and, where there is one, the line. It
// checks no values: an address that is none, or a port of 70000, is for the configuration to refuse, which does so for its
// own. It runs nothing, and reads no file but those below the folder that it is handed.
//
// # Promises
//
// What is read may be hostile: sizes, ranges, aliases and nesting are bounded, and what a remark or an error quotes holds no
// control characters and no password. The same input gives the same inventory, in the order of the input.
package inventory
