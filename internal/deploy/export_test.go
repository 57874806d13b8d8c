package deploy

import "muster/internal/remote"

// Files is what installing takes of a host's files.
type Files = files

// FilesByShell gets at a host's files without SFTP.
func FilesByShell(conn *remote.Conn) Files { return &shellFiles{conn: conn} }
