// Package seal is the envelope in which a report travels: compressed, then encrypted with AES-256-GCM under a key and a
// nonce that server and client both know because the server made them for this one visit.
//
// It promises that what Open returns is, byte for byte, what Seal was given for the same host, visit and part under the
// same key and nonce, or that Open returns an error and nothing else. A report can't be read or changed on the way, and
// not be passed off as another host's, another visit's or another part. Open takes no memory that a stranger decides on:
// sizes are checked before there is anything to hold them, and a report expands to the caller's limit at most.
//
// It refuses to choose keys: both come from the caller, who must make them at random for each visit and never seal two
// different texts with the same key, nonce and part, since that would give both texts away. It keeps nothing between
// calls, and everything in it is safe for concurrent use.
//
// # Format
//
// All numbers are big-endian.
//
//	offset  bytes  what
//	     0      4  "MSTR"
//	     4      1  version: 1
//	     5      1  flags: bit 0 set: the text is compressed with DEFLATE (RFC 1951); all others are 0
//	     6      4  length of the text before compression
//	    10      n  the text, compressed or not, encrypted: as long as before encryption
//	  10+n     16  the tag of GCM (NIST SP 800-38D)
//
// The text is stored as it is where compression would not make it shorter, so a compressed text is always the shorter.
//
// Part 0 of a visit is encrypted with the visit's nonce. For part p the last four bytes of the nonce, read as a number,
// are greater by p; where they would overflow there is no such part.
//
// The additional data of GCM are the envelope's first 10 bytes, then host and visit, each with its length in bytes before
// it as four bytes, then the part as four bytes.
package seal
