//go:build unix

package health

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// listenPrivately opens a socket that nobody else can connect to at any moment: it is made in a folder that only this
// user may enter, and moved to its place when it has its mode. The name of that folder is shorter than the socket's.
func listenPrivately(folder, path string) (net.Listener, error) {
	private := filepath.Join(folder, ".control")
	if err := os.RemoveAll(private); err != nil {
		return nil, err
	}
	if err := os.Mkdir(private, 0o700); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(private) }()
	made := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by then it is elsewhere
	err = os.Chmod(made, 0o600)
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return &movedListener{UnixListener: l, path: path}, nil
}

// movedListener is a listener whose socket has been moved.
type movedListener struct {
	*net.UnixListener
	path   string
	remove sync.Once
}

// Addr returns where the socket is now.
func (l *movedListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close closes the listener and removes the socket.
func (l *movedListener) Close() error {
	err := l.UnixListener.Close()
	l.remove.Do(func() {
		if failed := os.Remove(l.path); !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	})
	return err
}

// isNobody says that there is no socket, or that whoever made it is gone.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
