package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"muster/internal/failure"
	"muster/internal/remote"
)

// By these numbers Windows says why a program is not started (winerror.h). Some shells make an exit status of them.
const (
	statusAccessDenied  = 5
	statusVirusInfected = 225
	statusVirusDeleted  = 226
)

// Gone returns a failure of the kind Vanished if a client that was installed is no longer there, and nil if it is, or if
// that is not to be found out. On Windows one that can't be read any more counts as gone: a virus scanner holds it.
// The caller asks when the client ended without a report, as it does where it was taken away between two runs.
func (c *Clients) Gone(ctx context.Context, conn *remote.Conn, installed Installed) *failure.Error {
	found, ok := c.clients[installed.Platform]
	if !ok {
		return nil
	}
	files, err := conn.Files(ctx)
	if err != nil {
		return nil //nolint:nilerr // then it is not to be found out
	}
	i := &installation{conn: conn, files: files, client: found, folder: c.folder}
	p := place{path: installed.Directory, command: backslashes(path.Dir(strings.ReplaceAll(installed.Command, `\`, "/")))}
	if failed := i.missing(ctx, p, nil); failed != nil && failed.Kind == failure.Vanished {
		return failed
	}
	return nil
}

// missing returns Vanished if the client is no longer in a place, or can no longer be read there, otherwise the failure
// that raised the question. Which it is does not depend on the language that the host speaks.
func (i *installation) missing(ctx context.Context, p place, otherwise *failure.Error) *failure.Error {
	failed := i.gone(ctx, p, i.name(), otherwise)
	if failed != otherwise || !i.windows() || otherwise != nil && (otherwise.Kind.IsInterruption() || ends(otherwise)) {
		return failed
	}
	switch unread := i.verify(ctx, p, i.name()); {
	case unread == nil:
		return otherwise
	case unread.Kind.IsInterruption(), unread.Kind == failure.Vanished:
		return unread
	default:
		return i.vanished("the host lets nobody read the client in %s any more: %w", p.path, unread.Err)
	}
}

// gone returns Vanished if a file is no longer there, otherwise the failure that raised the question.
func (i *installation) gone(ctx context.Context, p place, name string, otherwise *failure.Error) *failure.Error {
	if otherwise != nil && otherwise.Kind.IsInterruption() {
		return otherwise
	}
	_, err := i.files.Stat(ctx, p.file(name))
	if failed := lost(err); failed != nil {
		return failed
	}
	if errors.Is(err, fs.ErrNotExist) {
		return i.vanished("the client disappeared from %s after the upload", p.path)
	}
	return otherwise
}

// explainWindows recognises how Windows says that a virus scanner or a policy does not let a program run. Otherwise
// is the failure where it says neither.
func (i *installation) explainWindows(answer remote.Result, otherwise *failure.Error) *failure.Error {
	words := strings.ToLower(string(answer.Stderr) + string(answer.Stdout))
	has := func(signs ...string) bool {
		for _, sign := range signs {
			if strings.Contains(words, sign) {
				return true
			}
		}
		return false
	}
	switch {
	case otherwise.Kind == failure.WrongPlatform:
		return otherwise
	case has("group policy", "application control", "applocker"):
		failed := failure.New(failure.Deploy, failure.NoExec, fmt.Errorf("a policy of the host forbids the client: %s", said(answer)))
		failed.Advice = "allow the program with the SHA-256 " + i.client.SHA256 +
			" in the host's AppLocker or App Control rules, or name an allowed folder with directory=\"…\""
		return failed
	case has("virus", "access is denied", "0x800700e1"), answer.Status == statusAccessDenied,
		answer.Status == statusVirusInfected, answer.Status == statusVirusDeleted:
		return i.vanished("the host does not let the client run: %s", said(answer))
	}
	return otherwise
}

func (i *installation) vanished(format string, a ...any) *failure.Error {
	failed := failure.New(failure.Deploy, failure.Vanished, fmt.Errorf(format, a...))
	failed.Advice = "a virus scanner may have put the client into quarantine: allow the program with the SHA-256 " +
		i.client.SHA256
	return failed
}
