package report

import "time"

// Names of files in the folder of a client that a server put on a host. Those of uploads and reports last for a visit only:
// server and client both remove what was left of them.
const (
	ClientPrefix = "muster-client-"  // of a client that a server put there; its hash follows
	UploadPrefix = ".muster-upload-" // of a client on its way
	FilePrefix   = "muster-report-"  // of a report that the server fetches

	// LeftoverAge is how old such a file is when nobody can be at work on it any more.
	LeftoverAge = time.Hour
)
