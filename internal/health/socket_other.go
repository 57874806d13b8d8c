//go:build !unix

package health

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// listenPrivately opens the socket in its place: here it is the folder's permissions, which it inherits, that keep others
// away.
func listenPrivately(_, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

// wsaeConnRefused is what Windows says where package syscall has another value for ECONNREFUSED.
const wsaeConnRefused = syscall.Errno(10061)

// isNobody says that there is no socket, or that whoever made it is gone.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, wsaeConnRefused)
}
