package deploy

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/deploy/manifest"
)

func TestParseAccount(t *testing.T) {
	for said, want := range map[string]account{
		"1000\n":                             {uid: "1000"},
		"\n0\n/var/cache/u\n":                {uid: "0", cache: "/var/cache/u"},
		"Welcome, user 7\n42\n\n1000\n/c/\n": {uid: "1000", cache: "/c"},
		"1000\r\n/c\r\n":                     {uid: "1000", cache: "/c"},
		"1000\nrelative\n":                   {uid: "1000"},
		"1000\n/c\x1b[0m\n":                  {uid: "1000"},
		"id: not found\n":                    {},
		"12345678901\n":                      {},
		"":                                   {},
	} {
		if got := parseAccount(said); got != want {
			t.Errorf("%q: got %+v, want %+v", said, got, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for name, test := range map[string]struct {
		system, directory string
		user              account
		want              string
	}{
		"Linux": {
			"linux", "", account{uid: "5"},
			"/h/.cache/muster /var/tmp/muster-5 /tmp/muster-5 /run/user/5/muster /dev/shm/muster-5",
		},
		"Linux, another cache": {
			"linux", "", account{uid: "5", cache: "/c"},
			"/c/muster /var/tmp/muster-5 /tmp/muster-5 /run/user/5/muster /dev/shm/muster-5",
		},
		"FreeBSD":         {"freebsd", "", account{uid: "5"}, "/h/.cache/muster /var/tmp/muster-5 /tmp/muster-5"},
		"macOS":           {"darwin", "", account{uid: "5"}, "/h/Library/Caches/muster /var/tmp/muster-5 /tmp/muster-5"},
		"nobody knows us": {"linux", "", account{}, "/h/.cache/muster"},
		"configured":      {"linux", "/opt/x/", account{uid: "5"}, "/opt/x"},
		"in the home":     {"linux", "~/x", account{uid: "5"}, "/h/x"},
	} {
		t.Run(name, func(t *testing.T) {
			places, failed := posixPlaces(test.system, "/h", test.directory, test.user)
			if failed != nil {
				t.Fatal(failed)
			}
			var got []string
			for _, p := range places {
				got = append(got, p.path)
				if p.inHome != strings.HasPrefix(p.path, "/h/") {
					t.Errorf("%s is in the home: %v", p.path, p.inHome)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestWindowsPlaces(t *testing.T) {
	for directory, want := range map[string]place{
		`C:\Tools\muster`: {path: "/C:/Tools/muster", command: `C:\Tools\muster`},
		"D:/x/":           {path: "/D:/x", command: `D:\x`},
		"/C:/x":           {path: "/C:/x", command: `C:\x`},
		`tools\muster`:    {path: "/C:/Users/u/tools/muster", command: `tools\muster`, base: "/C:/Users/u", inHome: true},
		"~/tools-1.0/_x":  {path: "/C:/Users/u/tools-1.0/_x", command: `tools-1.0\_x`, base: "/C:/Users/u", inHome: true},
		`.\a\..\muster`:   {path: "/C:/Users/u/muster", command: "muster", base: "/C:/Users/u", inHome: true},
		`2nd`:             {path: "/C:/Users/u/2nd", command: `.\2nd`, base: "/C:/Users/u", inHome: true},
		`.-x`:             {path: "/C:/Users/u/.-x", command: `.\.-x`, base: "/C:/Users/u", inHome: true},
		`C:\` + strings.Repeat("x", longestFolder-3): {
			path: "/C:/" + strings.Repeat("x", longestFolder-3), command: `C:\` + strings.Repeat("x", longestFolder-3),
		},
		`C:\` + strings.Repeat("x", longestFolder): {},
		`C:\Program Files`:                         {}, "/x": {}, `\\server\share`: {}, "a&b": {}, "%x%": {}, "a^b": {},
	} {
		got, failed := windowsPlaces("/C:/Users/u", directory)
		switch {
		case want == place{} && failed == nil:
			t.Errorf("%s is accepted as %+v", directory, got)
		case want != place{} && (failed != nil || len(got) != 1 || got[0] != want):
			t.Errorf("%s: got %+v, %v; want %+v", directory, got, failed, want)
		}
	}
}

func TestWay(t *testing.T) {
	for name, test := range map[string]struct {
		home, folder, want string
	}{
		"from the root":       {"/home/u", "/opt/x", "/ /opt /opt/x"},
		"from the home":       {"/home/u", "/home/u/.cache/muster", "/home/u/.cache /home/u/.cache/muster"},
		"a home like another": {"/home/u", "/home/u2/x", "/ /home /home/u2 /home/u2/x"},
		"the root itself":     {"/home/u", "/", "/"},
		"the root as home":    {"/", "/x/y", "/ /x /x/y"},
	} {
		if got := strings.Join(way(test.home, test.folder), " "); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// The listings are those of GNU, busybox and BSD, with access control lists and labels.
func TestParseList(t *testing.T) {
	folders := []string{"/", "/tmp", "/tmp/muster-5"}
	for name, listing := range map[string]string{
		"GNU": "drwxr-xr-x 18 0 0 4096 Jan  1  2024 /\ndrwxrwxrwt 10 0 0 4096 Nov 23 08:00 /tmp\n" +
			"drwx------  2 5 5 4096 Nov 23 08:00 /tmp/muster-5\n",
		"with lists and labels": "drwxr-xr-x. 18 0 0 4096 Jan  1  2024 /\ndrwxrwxrwt+ 10 0 0 4096 Nov 23 08:00 /tmp\n" +
			"drwx------@  2 5 5 64 Nov 23 08:00 /tmp/muster-5\n",
		"noise": "Welcome\ntotal 7\ndrwx 1 2 3\ndrwxr-xr-x 18 0 0 4096 Jan  1  2024 /\r\nls: something\n" +
			"drwxrwxrwt 10 0 0 4096 Nov 23 08:00 /tmp\r\ndrwx------  2 5 5 4096 Nov 23 08:00 /tmp/muster-5\r\n",
	} {
		got := parseList(listing, folders)
		want := []part{
			{path: "/", uid: "0", folder: true},
			{path: "/tmp", uid: "0", folder: true, groupWrites: true, othersWrite: true, sticky: true},
			{path: "/tmp/muster-5", uid: "5", folder: true},
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	link := parseList("lrwxrwxrwx 1 5 5 9 Nov 23 08:00 /tmp -> /mnt/tmp\n", []string{"/tmp"})
	if len(link) != 1 || !link[0].link || link[0].isOpen() {
		t.Errorf("a link: got %+v", link)
	}
	if got := parseList("drwxr-xr-x 18 0 0 4096 Jan  1  2024 /tmp\n", folders); len(got) != 0 {
		t.Errorf("a listing of something else: got %+v", got)
	}
}

func TestFindSum(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for said, want := range map[string]string{
		sum + "  file\n":             sum,
		`\` + sum + "  odd\\nname\n": sum,
		"SHA256 hash of x:\r\n" + strings.Repeat("0A ", 32) + "\r\nCertUtil: done": sum,
		"SHA256 hash of x:\r\n" + strings.ToUpper(sum) + "\r\nCertUtil: done":      sum,
		sum[2:] + "\n": "", "": "", "zz" + sum[2:]: "",
	} {
		if got := findSum(said); got != want {
			t.Errorf("%q: got %q", said, got)
		}
	}
}

// Old builds of sshd on Windows cut what is longer than 250 characters.
func TestCommandsOfWindowsAreShort(t *testing.T) {
	folder := strings.Repeat("x", longestFolder)
	places, failed := windowsPlaces("/C:/Users/"+strings.Repeat("u", 60), folder)
	if failed != nil {
		t.Fatal(failed)
	}
	i := &installation{client: &client{platform: Platform{OS: "windows", Arch: "amd64"}, Entry: manifest.Entry{SHA256: strings.Repeat("0", 64)}}}
	commands := append(i.commands(places[0]), i.hashCommand(places[0], i.temporary()))
	for _, command := range commands[:len(commands)-1] {
		commands = append(commands, command+" --version")
	}
	for _, command := range commands {
		if len(command) > longestCommand {
			t.Errorf("%d characters: %s", len(command), command)
		}
	}
}

// A home that needs no quotes is the second way to name the client, for shells that do not begin there.
func TestCommandsOfWindows(t *testing.T) {
	i := &installation{client: &client{platform: Platform{OS: "windows", Arch: "amd64"}, Entry: manifest.Entry{SHA256: strings.Repeat("0", 64)}}}
	name := i.name()
	for home, want := range map[string][]string{
		"/C:/Users/jane":        {`.muster\` + name, `C:\Users\jane\.muster\` + name, ".muster/" + name},
		"/C:/Users/Jörg Müller": {`.muster\` + name, ".muster/" + name},
	} {
		i.home = home
		places, failed := windowsPlaces(home, "")
		if failed != nil {
			t.Fatal(failed)
		}
		if got := i.commands(places[1]); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", home, got)
		}
	}
}
