package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"muster/internal/config"
	"muster/internal/health"
)

// maxRequest bounds what is asked at the control socket.
const maxRequest = 4 << 20

// loginRetry is a request to let refused passwords be sent again, and the answer to it.
type loginRetry struct {
	Hosts []string `json:"hosts"`           // in a request: none means all
	Error string   `json:"error,omitempty"` // in an answer
}

// RetryLogins lets passwords be sent again that were refused, to the named hosts or, if none is named, to all. It asks the
// server that runs on the data directory, or does it where none runs, and returns the names of the hosts for which that
// changes something. Errors wrap ErrUnusable.
func RetryLogins(ctx context.Context, c *config.Config, names []string) (freed []string, err error) {
	var result loginRetry
	err = askWith(ctx, c.Server.Data, http.MethodPost, pathLogin, loginRetry{Hosts: names}, &result)
	switch {
	case err == nil && result.Error != "":
		return result.Hosts, fmt.Errorf("queue %w: %s", ErrUnusable, result.Error)
	case err == nil:
		return result.Hosts, nil
	case !errors.Is(err, health.ErrNotRunning) && !errors.Is(err, health.ErrPathTooLong):
		return nil, err
	case !hasQueue(c):
		return nil, nil
	}
	lock, err := lockData(c.Server.Data)
	if err != nil {
		return nil, fmt.Errorf("data directory %s %w: %w", c.Server.Data, ErrUnusable, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	log := slog.New(slog.DiscardHandler)
	q, err := OpenQueue(ctx, c, log, time.Now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	guard, err := openGuard(ctx, q, c, log, time.Now)
	if err != nil {
		return nil, err
	}
	if freed, err = guard.Retry(ctx, names...); err != nil {
		err = fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return freed, err
}
