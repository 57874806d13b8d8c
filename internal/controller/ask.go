package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"muster/internal/config"
	"muster/internal/health"
)

// The paths, below health.BaseURL, of what the control socket answers about the work of a server.
const (
	pathServing = "/serving"
	pathReload  = "/reload"
)

// reloadAnswer is the answer to a reload.
type reloadAnswer struct {
	Reloaded *Reloaded `json:"reloaded,omitempty"`
	Error    string    `json:"error,omitempty"` // why the configuration is refused
}

// control answers at the control socket what only those who own the data directory may ask, and do.
func (c *Controller) control(h *health.Health) {
	h.Handle("GET "+pathServing, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Serving(), nil) }))
	h.Handle("POST "+pathReload, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reloaded, err := c.Reload(r.Context(), true)
		if errors.Is(err, ErrConfiguration) {
			answer(w, reloadAnswer{Error: err.Error()}, nil)
			return
		}
		answer(w, reloadAnswer{Reloaded: reloaded}, err)
	}))
}

// AskReload has the server that runs on the data directory of the configuration read it anew, and visit hosts again that
// it leaves alone because they fail. Errors wrap ErrConfiguration where the server refuses it, and ErrUnusable where no
// server runs, or does not answer.
func AskReload(ctx context.Context, c *config.Config) (*Reloaded, error) {
	var a reloadAnswer
	err := ask(ctx, c.Server.Data, http.MethodPost, pathReload, &a)
	switch {
	case errors.Is(err, health.ErrNotRunning):
		return nil, fmt.Errorf("no server runs on the data directory %s: nothing is to be reloaded: %w", c.Server.Data, err)
	case err != nil:
		return nil, err
	case a.Error != "":
		return nil, &refusedError{a.Error}
	}
	return a.Reloaded, nil
}

// refusedError is what a server said of a configuration that it refused.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func (e *refusedError) Unwrap() error { return ErrConfiguration }
