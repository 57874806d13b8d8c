package deploy

import (
	"context"
	"fmt"
	"path"
	"strings"

	"muster/internal/failure"
)

// part is one folder on the way to a place, as ls sees it.
type part struct {
	path        string
	uid         string
	folder      bool
	link        bool
	othersWrite bool // everybody may make files in it
	sticky      bool // … and nobody removes or renames those of others
}

// vet returns the place as it is to be used, or why it can't be: somebody else could put a program of theirs where ours is
// looked for. A place that everybody may write to is replaced by a folder of the user's own in it.
//
// The rule is that of sshd's StrictModes, as far as it concerns strangers: no folder on the way may be open to everybody,
// unless it is sticky as /tmp is, and what stands in such a folder must be the user's or root's. Where the way is in the
// user's home only what is below the home is looked at. Windows guards the profile of a user by itself.
func (i *installation) vet(ctx context.Context, p place) (place, *failure.Error) {
	if i.windows() {
		return p, nil
	}
	real, err := i.files.RealPath(ctx, p.path)
	if err != nil {
		return p, at(failure.Deploy, err)
	}
	folders := way(i.home, real, p.inHome)
	if p.inHome && i.private(ctx, folders) {
		return p, nil
	}
	parts, said, failed := i.look(ctx, folders)
	switch {
	case failed != nil:
		return p, failed
	case len(parts) == len(folders):
	case p.inHome:
		return p, nil // sshd itself trusts the home
	default:
		return p, refuse("the host does not say who may write to it: ls -ldn answered %s", said)
	}
	last := parts[len(parts)-1]
	if last.othersWrite && last.sticky && i.account.uid != "" && !strings.HasPrefix(path.Base(p.path), "muster-") {
		own := place{path: path.Join(p.path, "muster-"+i.account.uid), base: p.path}
		if failed := i.mkdir(ctx, &own); failed != nil {
			return p, failed
		}
		return i.vet(ctx, own)
	}
	if reason := tampering(parts, i.account.uid); reason != "" {
		return p, refuse("%s", reason)
	}
	return p, nil
}

// private tells whether SFTP shows that nobody but the owner and the owner's group may write to any of the folders. If it
// does not, ls has more to say.
func (i *installation) private(ctx context.Context, folders []string) bool {
	for _, folder := range folders {
		info, err := i.files.Stat(ctx, folder)
		if err != nil || !info.IsDir() || info.Mode().Perm()&0o002 != 0 {
			return false
		}
	}
	return true
}

// way returns the folders from the root, or from the home, to a folder, which is the last. It may be in the home by a
// symbolic link only: then its whole way counts.
func way(home, real string, inHome bool) []string {
	stop := "/"
	if inHome && strings.HasPrefix(real, strings.TrimSuffix(home, "/")+"/") {
		stop = home
	}
	var folders []string
	for at := path.Clean(real); at != stop && at != "/" && at != "."; at = path.Dir(at) {
		folders = append([]string{at}, folders...)
	}
	if stop == "/" {
		folders = append([]string{"/"}, folders...)
	}
	return folders
}

// tampering says who else could replace the client, or nothing.
func tampering(parts []part, uid string) string {
	open := false // the folder before can be written to by everybody, or was not seen
	for n, p := range parts {
		if open && (uid == "" || p.uid != uid && p.uid != "0") {
			return fmt.Sprintf("%s belongs to user %s, in a folder that everybody may write to", p.path, p.uid)
		}
		last := n == len(parts)-1
		switch {
		case last && !p.folder:
			return p.path + " is not a folder"
		case p.othersWrite && (last || !p.sticky):
			return "everybody may replace what is in " + p.path
		}
		open = p.othersWrite || p.link
	}
	return ""
}

// look asks the host for owner and mode of folders, and returns as many of them as it tells, and its words. SFTP has no
// portable word for the owner, POSIX's ls -n has.
func (i *installation) look(ctx context.Context, folders []string) ([]part, string, *failure.Error) {
	command := "echo; ls -ldn" // the empty line ends one that a login script may have left open
	for _, folder := range folders {
		command += " " + quote(folder)
	}
	answer, err := i.conn.Output(ctx, command, nil)
	if err != nil {
		return nil, "", at(failure.Deploy, err)
	}
	return parseList(string(answer.Stdout), folders), said(answer), nil
}

// parseList reads what ls -ldn prints of folders, in their order, and passes over anything else. The format is that of
// POSIX.1-2017, ls, STDOUT: mode, links, owner, group, size, time, path.
func parseList(printed string, folders []string) []part {
	var parts []part
	for line := range strings.SplitSeq(printed, "\n") {
		if len(parts) == len(folders) {
			break
		}
		folder := folders[len(parts)]
		line = strings.TrimRight(line, "\r")
		fields := strings.Fields(line)
		if len(fields) < 6 || len(fields[0]) < 10 || !isNumber(fields[1]) || !isNumber(fields[2]) {
			continue
		}
		mode := fields[0]
		link := mode[0] == 'l' && strings.Contains(line, " "+folder+" -> ")
		if !link && !strings.HasSuffix(line, " "+folder) {
			continue
		}
		parts = append(parts, part{
			path: folder, uid: fields[2], folder: mode[0] == 'd', link: link,
			othersWrite: !link && mode[8] == 'w', sticky: mode[9] == 't' || mode[9] == 'T',
		})
	}
	return parts
}
