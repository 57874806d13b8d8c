package report

import "time"

// Names of the files beside a client that only last for a visit. Server and client both remove those that were left.
const (
	UploadPrefix = ".muster-upload-" // of a client on its way
	FilePrefix   = "muster-report-"  // of a report that the server fetches

	// LeftoverAge is how old such a file is when nobody can be at work on it any more.
	LeftoverAge = time.Hour
)
