package deploy

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// part is one folder, or a symbolic link to one, on the way to a place, as ls sees it.
type part struct {
	path        string
	uid         string
	folder      bool
	link        bool
	groupWrites bool // its group may make files in it, or somebody whom an access control list names
	othersWrite bool // everybody may
	sticky      bool // … and nobody removes or renames those of others
}

// isOpen tells whether somebody else may make files in it.
func (p part) isOpen() bool { return p.groupWrites || p.othersWrite }

// vet returns the place as it is to be used, or why it can't be: somebody else could put a program of theirs where ours is
// looked for. Its path becomes what its symbolic links lead to, so that what was vetted is what is used, whatever becomes of
// the links. A place that others may write to is replaced by a folder of the user's own in it.
//
// The rule is that of sshd's StrictModes, and stricter outside the home: everything on the way is the user's or root's, and
// no folder on it may be written to by its group or by everybody, unless it is sticky as /tmp is. In the user's home only
// what is below the home is looked at, and a group may write: it is the user's own on many systems. Windows guards the
// profile of a user by itself.
func (i *installation) vet(ctx context.Context, p place) (place, *failure.Error) {
	if i.windows() {
		return p, nil
	}
	real, err := i.files.RealPath(ctx, p.path)
	if err != nil {
		return p, at(failure.Deploy, err)
	}
	if !path.IsAbs(real) || !isPlain(real) {
		return p, refuse("it leads to %s, which can't be used", report.Visible(real, saidLimit))
	}
	real = path.Clean(real)
	atHome := inside(i.home, real)
	folders := way(i.home, real)
	var named []string // the way by its names, where those are links that a stranger may have made
	if real != p.path && !inside(i.home, p.path) {
		named = way(i.home, p.path)
	}
	vetted := p
	vetted.path, vetted.shared = real, !atHome
	if atHome && named == nil && i.private(ctx, folders) {
		return vetted, nil
	}
	links, parts, words, failed := i.look(ctx, named, folders)
	switch {
	case failed != nil:
		return p, failed
	case len(links) == len(named) && len(parts) == len(folders):
	case atHome && named == nil:
		return vetted, nil // sshd itself trusts the home
	default:
		return p, refuse("the host does not say who may write to it: ls -ldn answered %s", words)
	}
	if reason := stranger(links, i.account.uid); reason != "" {
		return p, refuse("%s", reason)
	}
	if last := parts[len(parts)-1]; (last.othersWrite || last.groupWrites && !atHome) && last.sticky &&
		i.account.uid != "" && !strings.HasPrefix(path.Base(p.path), "muster-") {
		own := place{path: path.Join(real, "muster-"+i.account.uid), base: real}
		if failed := i.mkdir(ctx, &own); failed != nil {
			return p, failed
		}
		return i.vet(ctx, own)
	}
	if reason := tampering(parts, i.account.uid, atHome); reason != "" {
		return p, refuse("%s", reason)
	}
	vetted.shared = !atHome || slices.ContainsFunc(parts, part.isOpen)
	return vetted, nil
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

// way returns the folders from the root, or from the home if it leads there, to a folder, which is the last.
func way(home, folder string) []string {
	stop := "/"
	if inside(home, folder) {
		stop = home
	}
	var folders []string
	for at := path.Clean(folder); at != stop && at != "/" && at != "."; at = path.Dir(at) {
		folders = append([]string{at}, folders...)
	}
	if stop == "/" {
		folders = append([]string{"/"}, folders...)
	}
	return folders
}

// stranger says which of the parts is neither the user's nor root's, or nothing. Where the host does not say who the user
// is, all must be root's.
func stranger(parts []part, uid string) string {
	for _, p := range parts {
		if p.uid != "0" && (uid == "" || p.uid != uid) {
			return fmt.Sprintf("%s belongs to user %s, who could replace what is there", p.path, p.uid)
		}
	}
	return ""
}

// tampering says who else could replace the client at the end of a way without symbolic links, or nothing.
func tampering(parts []part, uid string, atHome bool) string {
	if reason := stranger(parts, uid); reason != "" {
		return reason
	}
	for n, p := range parts {
		last := n == len(parts)-1
		guarded := p.sticky && !last
		switch {
		case p.link:
			return p.path + " is a symbolic link that the host's SFTP does not resolve: name the folder it leads to"
		case last && !p.folder:
			return p.path + " is not a folder"
		case p.othersWrite && !guarded:
			return "everybody may replace what is in " + p.path
		case p.groupWrites && !guarded && !atHome:
			return "a group may replace what is in " + p.path
		}
	}
	return ""
}

// look asks the host for owner and mode of folders on two ways, and returns as many of them as it tells, and its words. SFTP
// has no portable word for the owner, POSIX's ls -n has. Who the user is it asks, too, unless that is known.
func (i *installation) look(ctx context.Context, named, folders []string) ([]part, []part, string, *failure.Error) {
	command := "echo" // the empty line ends one that a login script may have left open
	if i.account.uid == "" {
		command += "; id -u"
	}
	for _, list := range [][]string{named, folders} { // one by one: ls puts the folders of each in this order
		if len(list) == 0 {
			continue
		}
		command += "; ls -ldn"
		for _, folder := range list {
			command += " " + remote.Quote(folder)
		}
	}
	answer, err := i.conn.Output(ctx, command, nil)
	if err != nil {
		return nil, nil, "", at(failure.Deploy, err)
	}
	printed := string(answer.Stdout)
	if i.account.uid == "" {
		i.account.uid = parseAccount(printed).uid
	}
	parts := parseList(printed, slices.Concat(named, folders))
	first := min(len(named), len(parts))
	return parts[:first], parts[first:], said(answer), nil
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
			groupWrites: !link && mode[5] == 'w', othersWrite: !link && mode[8] == 'w', sticky: mode[9] == 't' || mode[9] == 'T',
		})
	}
	return parts
}
