package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// Installed says where a client is on a host.
type Installed struct {
	Platform  Platform
	Command   string // what to run, as the host's shell is to read it
	Directory string // SFTP path of its folder: where it puts a report file
	Uploaded  bool   // it was put there just now
	Shared    bool   // outside the user's home: another day it may be somebody else's folder, which only Install notices
}

// Install makes sure that the client for platform is on the host and runs there, and says where. directory is the
// configured folder, absolute or relative to the user's home, or empty for the defaults.
//
// Errors are *failure.Error of the stage Deploy. Kinds: UnknownPlatform where there is no client for the platform,
// WrongPlatform where the host can't execute it, NoExec where no folder allows execution, PermissionDenied, FileFailed,
// DiskFull and Quota where none can be written to, ClientFailed and ClientCrashed where it does not run, Vanished where the
// client disappears after the upload, is changed, or is held or forbidden by a virus scanner, Configuration for an
// impossible directory, and those of the connection.
func (c *Clients) Install(ctx context.Context, conn *remote.Conn, platform Platform, directory string) (Installed, error) {
	found, ok := c.clients[platform]
	if !ok {
		none := fmt.Errorf("there is no client for %s", platform)
		return Installed{}, failure.New(failure.Deploy, failure.UnknownPlatform, none)
	}
	files, err := filesOf(ctx, conn, platform)
	if err != nil {
		return Installed{}, at(failure.Deploy, err)
	}
	home, err := files.RealPath(ctx, ".")
	if err != nil {
		return Installed{}, at(failure.Deploy, err)
	}
	i := &installation{conn: conn, files: files, client: found, folder: c.folder, home: home}
	installed, failed := i.run(ctx, directory)
	if failed != nil {
		return Installed{}, failed
	}
	conn.Trace(ClientReady{installed, found.Size, found.SHA256})
	return installed, nil
}

// installation is one client on its way to one host.
type installation struct {
	conn    *remote.Conn
	files   files
	client  *client
	folder  fs.FS  // of the packed clients
	home    string // SFTP path of the user's home
	account account
	refused []refusal
}

// refusal is why a folder was not used.
type refusal struct {
	folder string
	cause  *failure.Error
}

func (i *installation) windows() bool { return i.client.platform.OS == "windows" }

// name returns the file name of the client: by it a host has a version or has it not.
func (i *installation) name() string {
	name := report.ClientPrefix + i.client.SHA256[:16]
	if i.windows() {
		name += ".exe"
	}
	return name
}

// run looks for the client in every place first, and only then uploads it to the first that takes it: where one place does
// not let it run, the client is in a later one. It looks first where the client most likely is, because that takes no
// command on the host: with a long login script each is dear.
func (i *installation) run(ctx context.Context, directory string) (Installed, *failure.Error) {
	usual, failed := i.usualPlaces(directory)
	if failed != nil {
		return Installed{}, failed
	}
	if installed, there, failed := i.find(ctx, usual); there || failed != nil {
		return installed, failed
	}
	places, failed := i.places(ctx, directory)
	if failed != nil {
		return Installed{}, failed
	}
	if installed, there, failed := i.find(ctx, places); there || failed != nil {
		return installed, failed
	}
	for _, p := range places {
		installed, failed := i.put(ctx, p)
		if failed == nil {
			return installed, nil
		}
		if ends(failed) {
			return Installed{}, failed
		}
		i.refused = append(i.refused, refusal{p.path, failed})
		i.conn.Trace(FolderRefused{p.path, failed.Err})
	}
	return Installed{}, i.nowhere()
}

// find looks for the client in places. A failure is that of the connection.
func (i *installation) find(ctx context.Context, places []place) (Installed, bool, *failure.Error) {
	for _, p := range places {
		installed, there, failed := i.present(ctx, p)
		if failed != nil && failed.Kind.IsInterruption() {
			return Installed{}, false, failed
		}
		if there {
			return installed, true, nil
		}
	}
	return Installed{}, false, nil
}

// nowhere is the failure of a client that no folder takes. It says why of each; kind and advice are those of the refusal
// that is easiest to mend.
func (i *installation) nowhere() *failure.Error {
	reasons := make([]string, 0, len(i.refused))
	chosen := i.refused[0].cause
	for _, r := range i.refused {
		reasons = append(reasons, fmt.Sprintf("%s: %v", r.folder, r.cause.Err))
		if rank(r.cause.Kind) > rank(chosen.Kind) {
			chosen = r.cause
		}
	}
	all := fmt.Errorf("no folder takes the client: %s", strings.Join(reasons, "; "))
	failed := failure.New(failure.Deploy, chosen.Kind, all)
	failed.Advice = chosen.Advice
	return failed
}

// rank orders the kinds of refusals: a folder that takes the client but does not let it run says more than one that
// can't be written to. Kinds without a rank end the installation, whatever other folders there are.
func rank(kind failure.Kind) int {
	switch kind {
	case failure.NoExec:
		return 5
	case failure.DiskFull, failure.Quota:
		return 4
	case failure.ClientFailed, failure.ClientCrashed:
		return 3
	case failure.PermissionDenied:
		return 2
	case failure.FileFailed:
		return 1
	}
	return 0
}

// ends tells whether a failure is the end of the installation.
func ends(failed *failure.Error) bool { return rank(failed.Kind) == 0 }

// present tells whether the client is in a place already, whole and running. A client that is there and does not run is no
// failure: put looks into it.
func (i *installation) present(ctx context.Context, p place) (Installed, bool, *failure.Error) {
	info, err := i.files.Stat(ctx, p.file(i.name()))
	if err != nil {
		return Installed{}, false, lost(err)
	}
	if !i.whole(info) {
		return Installed{}, false, nil
	}
	p, failed := i.vet(ctx, p)
	if failed != nil {
		return Installed{}, false, failed
	}
	command, failed := i.probe(ctx, p)
	if failed != nil {
		return Installed{}, false, failed
	}
	return i.at(p, command, false), true, nil
}

// whole tells whether a file may be the client: the right length, and executable where that can be seen.
func (i *installation) whole(info fs.FileInfo) bool {
	executable := i.windows() || info.Mode()&0o100 != 0
	return info.Mode().IsRegular() && info.Size() == i.client.Size && executable
}

func (i *installation) at(p place, command string, uploaded bool) Installed {
	return Installed{Platform: i.client.platform, Command: command, Directory: p.path, Uploaded: uploaded, Shared: p.shared}
}

// put uploads the client to a place and sees that it runs there. A place that does not let it run is left as it was.
func (i *installation) put(ctx context.Context, p place) (Installed, *failure.Error) {
	if failed := i.prepare(ctx, &p); failed != nil {
		return Installed{}, failed
	}
	uploaded, failed := i.upload(ctx, p)
	if failed != nil {
		i.leave(ctx, p)
		return Installed{}, failed
	}
	command, failed := i.probe(ctx, p)
	if failed != nil {
		if !failed.Kind.IsInterruption() {
			_ = i.files.Remove(ctx, p.file(i.name())) // it is of no use there
			i.leave(ctx, p)
		}
		return Installed{}, failed
	}
	if uploaded {
		i.tidy(ctx, p)
	}
	return i.at(p, command, uploaded), nil
}

// leave removes the folder of a place, if it was made for this and is empty.
func (i *installation) leave(ctx context.Context, p place) {
	if p.made {
		_ = i.files.Remove(ctx, p.path)
	}
}

// prepare makes the folder and checks that nobody else can tamper with it.
func (i *installation) prepare(ctx context.Context, p *place) *failure.Error {
	if p.base != "" {
		info, err := i.files.Stat(ctx, p.base)
		if failed := lost(err); failed != nil {
			return failed
		}
		if err != nil || !info.IsDir() {
			return refuse("there is no folder %s", p.base)
		}
	}
	if failed := i.mkdir(ctx, p); failed != nil {
		return failed
	}
	vetted, failed := i.vet(ctx, *p)
	if failed == nil {
		*p = vetted
	}
	return failed
}

// mkdir makes the folder of a place where there is none.
func (i *installation) mkdir(ctx context.Context, p *place) *failure.Error {
	_, err := i.files.Stat(ctx, p.path)
	p.made = errors.Is(err, fs.ErrNotExist)
	if err := i.files.Mkdir(ctx, p.path); err != nil {
		return at(failure.Deploy, err)
	}
	return nil
}

// refuse is the failure of a folder that can't be used.
func refuse(format string, a ...any) *failure.Error {
	return failure.New(failure.Deploy, failure.PermissionDenied, fmt.Errorf(format, a...))
}

// lost returns err, which may be nil, as a failure if the connection did not survive it, otherwise nil.
func lost(err error) *failure.Error {
	if err == nil {
		return nil
	}
	if failed := at(failure.Deploy, err); failed.Kind.IsInterruption() {
		return failed
	}
	return nil
}
