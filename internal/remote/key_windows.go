package remote

import "io/fs"

// isTooOpen is not known on Windows, where access lists decide and the mode says nothing of them.
func isTooOpen(fs.FileInfo) bool { return false }
