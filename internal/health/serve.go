package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// What a connection may take. A scrape of a large fleet over a slow line has a minute; what takes longer is broken off.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeader         = 16 << 10
	closeTimeout      = 5 * time.Second // for answers under way when the server is stopped
)

// Serve answers on a listener, for reading alone, until ctx ends or the listener fails. It then takes no more requests,
// lets those under way finish for five seconds, breaks off what is left, and returns when nothing of it runs any more.
// The listener is closed. The end of ctx is no error.
func (h *Health) Serve(ctx context.Context, l net.Listener) error {
	return h.serve(ctx, l, h.Handler(), writeTimeout)
}

// ServeControl is Serve for the control socket, where what Handle registered is answered too, however long it takes.
func (h *Health) ServeControl(ctx context.Context, l net.Listener) error {
	return h.serve(ctx, l, h.control, 0)
}

// Handle registers a handler for the control socket, and for nothing else. The pattern is that of http.ServeMux. It is
// called before ServeControl. The handler must end when its request's context does.
func (h *Health) Handle(pattern string, handler http.Handler) { h.control.Handle(pattern, handler) }

func (h *Health) serve(ctx context.Context, l net.Listener, handler http.Handler, limit time.Duration) error {
	base, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	var connections sync.WaitGroup // http.Server.Close does not wait for them
	server := &http.Server{
		Handler: handler,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // said by the goroutine that accepts, for which we wait first
				connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				connections.Done()
			}
		},
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: limit, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		BaseContext:    func(net.Listener) context.Context { return base },
		ErrorLog:       slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = stop(server)
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	// First the connections, and then their requests: what ends with its request would be sent as a whole answer.
	_ = server.Close()
	breakOff()
	connections.Wait()
	if err != nil {
		return fmt.Errorf("answer on %s: %w", l.Addr(), err)
	}
	return nil
}

// stop stops a server, in peace if that is soon done.
func stop(server *http.Server) error {
	patience, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := server.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // Close follows
	}
	return err
}
