package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

const (
	socketName = "control.sock"
	// maxSocketPath is the longest path of a socket, in bytes, that works everywhere: macOS and FreeBSD have 104 with
	// the NUL at its end, Linux 108.
	maxSocketPath = 103
	dialTimeout   = 5 * time.Second
	maxStatus     = 4 << 20 // bytes of an answer that Ask reads
)

// Errors of the control socket.
var (
	// ErrPathTooLong says that a folder's path leaves no room for the socket's.
	ErrPathTooLong = errors.New("the path is too long for a socket")
	// ErrInUse says that a running server answers on the socket already.
	ErrInUse = errors.New("a running server answers there already")
	// ErrNotRunning says that nobody answers on the socket.
	ErrNotRunning = errors.New("no server runs there")
)

// BaseURL is what paths are added to in requests through Dial. The host in it names nothing.
const BaseURL = "http://muster"

// ListenControl opens the control socket in a folder. It is open to the user of this process alone, from the first
// moment. One that a server left behind when it was killed is replaced. Closing the listener removes the socket. The
// folder must be the server's own: two calls at once for the same folder are not told apart.
//
// Errors: ErrPathTooLong, ErrInUse, or the operating system's.
func ListenControl(folder string) (net.Listener, error) {
	path, err := socketPath(folder)
	if err != nil {
		return nil, err
	}
	switch conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(context.Background(), "unix", path); {
	case err == nil:
		_ = conn.Close()
		return nil, fmt.Errorf("control socket %s: %w", path, ErrInUse)
	case !isNobody(err): // somebody may be there who is only too busy to answer
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	l, err := listenPrivately(folder, path)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	return l, nil
}

func socketPath(folder string) (string, error) {
	path := filepath.Join(folder, socketName)
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("control socket %s: %w: it has %d bytes and may have %d; choose a shorter data directory",
			path, ErrPathTooLong, len(path), maxSocketPath)
	}
	return path, nil
}

// Dial returns a client that speaks to the server whose control socket is in a folder, whatever host the URL names; use
// BaseURL. Nothing is connected before its first request, and no connection is kept open after one. A request fails with
// ErrPathTooLong, or with ErrNotRunning where there is no socket or nobody behind it.
func Dial(folder string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, err := socketPath(folder)
		if err != nil {
			return nil, err
		}
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
		if err != nil && isNobody(err) {
			return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
		}
		return conn, err
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Ask asks the server whose control socket is in a folder how it is. It blocks until the answer is there or ctx ends.
//
// Errors: ErrNotRunning, ErrPathTooLong, ctx's, or one that says what came instead of an answer.
func Ask(ctx context.Context, folder string) (*Status, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, BaseURL+"/status", nil)
	if err != nil {
		return nil, err
	}
	response, err := Dial(folder).Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the server in %s: %w", folder, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the server in %s: it answers %s", folder, response.Status)
	}
	var s Status
	if err := json.NewDecoder(io.LimitReader(response.Body, maxStatus)).Decode(&s); err != nil {
		return nil, fmt.Errorf("ask the server in %s: its answer can't be read: %w", folder, err)
	}
	return &s, nil
}
