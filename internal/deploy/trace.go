package deploy

import "fmt"

// The events of an installation, for remote.Options.OnEvent.
type (
	// FolderRefused is a folder in which the client can't live.
	FolderRefused struct {
		Folder string
		Reason error
	}
	// ClientReady is a client that is on the host and runs there.
	ClientReady struct {
		Installed
		Size   int64  // bytes
		SHA256 string // hexadecimal
	}
)

// Name returns "folder-refused".
func (FolderRefused) Name() string { return "folder-refused" }

// Name returns "client".
func (ClientReady) Name() string { return "client" }

func (e FolderRefused) String() string { return fmt.Sprintf("not in %s: %v", e.Folder, e.Reason) }

func (e ClientReady) String() string {
	how := "is there already"
	if e.Uploaded {
		how = "was uploaded"
	}
	return fmt.Sprintf("the client %s in %s: %d bytes, SHA-256 %s", how, e.Directory, e.Size, e.SHA256)
}
