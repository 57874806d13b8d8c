package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Environment is what a configuration may ask of the machine it is read on. [System] returns that of this process.
type Environment struct {
	OS       string // as runtime.GOOS
	Root     bool   // the process runs as root
	User     string // its user's name; empty: unknown
	Home     string // its user's home directory; empty: unknown
	Hostname string // the machine's name; empty: unknown
	Access   Access // who can read the configuration itself

	LookupEnv func(name string) (string, bool)
	Exists    func(path string) bool

	// ReadFile reads a file of at most limit bytes that holds a secret, or is included.
	ReadFile func(path string, limit int) ([]byte, Access, error)

	// Glob returns the paths that match a pattern of package filepath, in their order; nil: no pattern matches anything.
	Glob func(pattern string) ([]string, error)

	// Run returns what a command prints; nil: no command is run, and hosts that commands print are left out.
	Run func(Command) ([]byte, error)

	// withhold is told of variables that hold secrets, and returns all that commands must not have; nil: these.
	withhold func(variables []string) []string
}

// Access says who can read a file. The zero value is a file that only its owner can.
type Access struct {
	Mode      fs.FileMode
	RootOwned bool
}

// exposed reports whether others than those it is meant for can read the file. As PostgreSQL does for its keys, the
// owner's group is trusted where root made it so (root:muster 0640, for a service), and nowhere else: on some systems
// all users share a group.
func (a Access) exposed() bool {
	allowed := fs.FileMode(0o700)
	if a.RootOwned {
		allowed = 0o740
	}
	return a.Mode.Perm()&^allowed != 0
}

// System returns the environment of this process. Its Access is the zero value.
func System() Environment {
	name, home := currentUser()
	hostname, _ := os.Hostname() // empty if it fails
	return Environment{
		OS:        runtime.GOOS,
		Root:      os.Geteuid() == 0,
		User:      name,
		Home:      home,
		Hostname:  hostname,
		LookupEnv: os.LookupEnv,
		ReadFile:  readSecret,
		Exists:    exists,
		Glob:      filepath.Glob,
	}
}

// currentUser returns the name that ssh would log in with and the home directory, which a service may have without being
// told of it. What is not known is empty.
func currentUser() (name, home string) {
	home, _ = os.UserHomeDir() // empty if it fails
	current, err := user.Current()
	if err != nil {
		return "", home
	}
	if home == "" {
		home = current.HomeDir
	}
	return withoutDomain(current.Username), home
}

// withoutDomain returns the user of Windows' DOMAIN\user.
func withoutDomain(name string) string {
	return name[strings.LastIndexByte(name, '\\')+1:]
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readSecret reads a regular file of at most limit bytes.
func readSecret(path string, limit int) ([]byte, Access, error) {
	// A pipe without a writer would block when opened.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, Access{}, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, Access{}, cause(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, Access{}, cause(err)
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err != nil {
		return nil, Access{}, cause(err)
	}
	if len(content) > limit {
		return nil, Access{}, fmt.Errorf("larger than %d bytes", limit)
	}
	return content, accessOf(info), nil
}

// cause strips what the message says already: the path.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// dataDirectory returns where the server keeps its data unless the configuration says otherwise; false where the user
// has no home directory. The folders are those of the FHS, the XDG base directory specification, Apple's file system
// guide and Windows' known folders.
func (e Environment) dataDirectory() (string, bool) {
	if e.OS == "windows" {
		if local, ok := e.LookupEnv("LOCALAPPDATA"); ok && local != "" {
			return filepath.Join(local, "muster"), true
		}
		return filepath.Join(e.Home, "AppData", "Local", "muster"), e.Home != ""
	}
	if e.Root {
		return "/var/lib/muster", true
	}
	if e.OS == "darwin" {
		return filepath.Join(e.Home, "Library", "Application Support", "muster"), e.Home != ""
	}
	// The specification has relative paths ignored.
	if state, ok := e.LookupEnv("XDG_STATE_HOME"); ok && filepath.IsAbs(state) {
		return filepath.Join(state, "muster"), true
	}
	return filepath.Join(e.Home, ".local", "state", "muster"), e.Home != ""
}

// knownHosts returns the files of host keys that OpenSSH reads too: the user's, and the machine's where there is one.
// Without a home directory and a machine's file there are none.
func (e Environment) knownHosts() []string {
	var files []string
	if e.Home != "" {
		files = append(files, filepath.Join(e.Home, ".ssh", "known_hosts"))
	}
	return e.withMachines(files)
}

// withMachines returns files of host keys with the machine's after them, where there is one. OpenSSH reads it whatever the
// user's files are: it is where an administrator revokes keys.
func (e Environment) withMachines(files []string) []string {
	machine := "/etc/ssh/ssh_known_hosts"
	if e.OS == "windows" {
		folder, _ := e.LookupEnv("ProgramData")
		machine = filepath.Join(folder, "ssh", "ssh_known_hosts")
	}
	if e.Exists(machine) && !slices.Contains(files, machine) {
		files = append(files, machine)
	}
	return files
}
