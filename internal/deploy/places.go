package deploy

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"

	"muster/internal/failure"
	"muster/internal/report"
)

// place is a folder in which the client may live.
type place struct {
	path    string // SFTP path
	base    string // a folder that must exist before path is made; empty: everything above path may be made
	inHome  bool   // by its path: a symbolic link may lead out of it
	shared  bool   // others may come to own a folder of this path; known once it was vetted
	made    bool   // path did not exist before
	command string // the folder as the host's shell is to read it: on Windows relative to the home where it is in it
}

func (p place) file(name string) string { return p.path + "/" + name }

// account is what a POSIX host says of the user who visits it.
type account struct {
	uid   string // decimal; empty where the host does not say
	cache string // XDG_CACHE_HOME; empty where it is not set
}

// usualPlaces returns the folders that can be named without asking the host anything.
func (i *installation) usualPlaces(directory string) ([]place, *failure.Error) {
	if i.windows() {
		return windowsPlaces(i.home, directory)
	}
	return posixPlaces(i.client.platform.OS, i.home, directory, account{})
}

// places returns the folders to try, in their order.
func (i *installation) places(ctx context.Context, directory string) ([]place, *failure.Error) {
	if i.windows() {
		return windowsPlaces(i.home, directory)
	}
	// The empty line ends one that a login script may have left open.
	answer, err := i.conn.Output(ctx, "echo; id -u; printenv XDG_CACHE_HOME", nil)
	if err != nil {
		return nil, at(failure.Deploy, err)
	}
	i.account = parseAccount(string(answer.Stdout))
	return posixPlaces(i.client.platform.OS, i.home, directory, i.account)
}

// parseAccount reads the user's number, and after it the cache folder if there is one. Anything before them is noise.
func parseAccount(printed string) account {
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	for n := len(lines) - 1; n >= 0; n-- {
		uid := strings.TrimSpace(lines[n])
		if !isNumber(uid) {
			continue
		}
		found := account{uid: uid}
		if n+1 < len(lines) {
			if cache := strings.TrimSpace(lines[n+1]); path.IsAbs(cache) && isPlain(cache) {
				found.cache = path.Clean(cache)
			}
		}
		return found
	}
	return account{}
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 10 && strings.Trim(s, "0123456789") == ""
}

// isPlain tells whether a path holds nothing that would break a line or a command.
func isPlain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

func posixPlaces(system, home, directory string, user account) ([]place, *failure.Error) {
	if directory != "" {
		if !isPlain(directory) {
			return nil, impossible(directory, "it holds control characters")
		}
		return []place{configured(home, directory)}, nil
	}
	var places []place
	switch {
	case system == "darwin":
		places = append(places, place{path: path.Join(home, "Library/Caches/muster"), base: home, inHome: true})
	case user.cache != "":
		places = append(places, within(home, place{path: path.Join(user.cache, "muster")}))
	default:
		places = append(places, place{path: path.Join(home, ".cache/muster"), base: home, inHome: true})
	}
	if user.uid == "" {
		return places, nil // in the others, what is ours can't be told from what is another's
	}
	for _, folder := range []string{"/var/tmp", "/tmp"} {
		places = append(places, place{path: folder + "/muster-" + user.uid, base: folder})
	}
	if system == "linux" {
		runtime := "/run/user/" + user.uid
		places = append(places, place{path: runtime + "/muster", base: runtime},
			place{path: "/dev/shm/muster-" + user.uid, base: "/dev/shm"})
	}
	return places, nil
}

// configured returns the folder that the configuration names.
func configured(home, directory string) place {
	if rest, ok := strings.CutPrefix(directory, "~/"); ok {
		directory = rest
	}
	if !path.IsAbs(directory) {
		directory = path.Join(home, directory)
	}
	return within(home, place{path: path.Clean(directory)})
}

// within marks a place that is in the home.
func within(home string, p place) place {
	if inside(home, p.path) {
		p.base, p.inHome = home, true
	}
	return p
}

// inside tells whether a path leads into the home. A home that is the root says nothing: all else is in it.
func inside(home, p string) bool {
	return home != "/" && strings.HasPrefix(p, strings.TrimSuffix(home, "/")+"/")
}

// windowsPlaces returns folders whose path on a command line has no space and no quote: cmd.exe and PowerShell read those
// differently. A path that begins in the home avoids what the user's name may hold, and most of what it may be long.
func windowsPlaces(home, directory string) ([]place, *failure.Error) {
	if directory == "" {
		return []place{
			{path: home + "/AppData/Local/muster", base: home, inHome: true, command: `AppData\Local\muster`},
			{path: home + "/.muster", base: home, inHome: true, command: `.muster`},
		}, nil
	}
	folder := strings.TrimPrefix(strings.ReplaceAll(directory, `\`, "/"), "~/")
	folder = path.Clean(folder)
	if !isSimple(strings.TrimPrefix(strings.TrimPrefix(folder, "/"), driveOf(folder))) {
		return nil, impossible(directory, "on Windows it may hold letters, digits, dots, - and _ alone")
	}
	if len(folder) > longestFolder {
		return nil, impossible(directory, fmt.Sprintf("on Windows it may have %d characters at most", longestFolder))
	}
	if driveOf(folder) == "" {
		if path.IsAbs(folder) {
			return nil, impossible(directory, `on Windows it begins with a drive, as C:\ does, or in the user's home`)
		}
		command := backslashes(folder)
		if !isLetter(rune(folder[0])) { // PowerShell may take it for a number or an operator
			command = `.\` + command
		}
		return []place{{path: path.Join(home, folder), base: home, inHome: true, command: command}}, nil
	}
	folder = strings.TrimPrefix(folder, "/")
	return []place{{path: "/" + folder, command: backslashes(folder)}}, nil
}

const (
	// longestCommand is how long a command may be on Windows: old builds of sshd there cut longer ones without a word.
	longestCommand = 240
	// longestFolder is how long a folder's path may be that stands in one, besides the longest that is around it.
	longestFolder = 160
)

// driveOf returns the drive of a path as in C:/x or /C:/x, or nothing.
func driveOf(folder string) string {
	folder = "/" + strings.TrimPrefix(folder, "/")
	if !isDrivePath(folder) {
		return ""
	}
	return folder[1:3]
}

func backslashes(folder string) string { return strings.ReplaceAll(folder, "/", `\`) }

// isSimple tells whether every shell reads a path as it stands.
func isSimple(s string) bool {
	for _, r := range s {
		if !isLetter(r) && !('0' <= r && r <= '9') && !strings.ContainsRune("/._-+", r) {
			return false
		}
	}
	return true
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func impossible(directory, why string) *failure.Error {
	return failure.New(failure.Deploy, failure.Configuration,
		fmt.Errorf("directory %s can't be used: %w", report.Visible(directory, saidLimit), errors.New(why)))
}
