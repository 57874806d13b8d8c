package remote

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // known_hosts hashes names with it, to hide them: nothing depends on its strength
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/wildcard"
)

// knownHosts is an index of the lines of known_hosts files. The libraries that read such files search all lines, and
// hash the name anew for each hashed one: with 10,000 lines a dial costs them 5 ms, and 120 ms where names are hashed.
// Here a plain name is found at once, and only hashed names and patterns are searched.
type knownHosts struct {
	count   int
	hashed  bool                    // the last name is
	plain   map[string][]*knownLine // by name, as in web1 or [web1]:2222
	others  []*knownLine            // with patterns, exclusions or a hashed name
	revoked map[string]*knownLine   // by key
}

// knownLine is a line of a known_hosts file.
type knownLine struct {
	key       ssh.PublicKey
	authority bool // @cert-authority: the key signs the certificates of hosts
	file      string
	line      int
	order     int      // among all lines of all files
	patterns  []string // in lower case
	salt      []byte   // of a hashed name; nil: there are patterns
	hash      []byte
}

func newKnownHosts() *knownHosts {
	return &knownHosts{plain: make(map[string][]*knownLine), revoked: make(map[string]*knownLine)}
}

// add reads a file's content. A last line without its end that is the beginning of one only is passed over: somebody
// writes it at this moment, or was killed while doing so.
func (k *knownHosts) add(file string, content []byte) error {
	number := 0
	for text := range bytes.Lines(content) {
		number++
		if text[len(text)-1] != '\n' && isTorn(text) {
			continue
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if err := k.addLine(&knownLine{file: file, line: number}, text); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
	return nil
}

func (k *knownHosts) addLine(l *knownLine, text []byte) error {
	marker, patterns, key, _, _, err := ssh.ParseKnownHosts(text)
	if err != nil {
		if isForeign(text) {
			return nil
		}
		return fmt.Errorf("not a line of known_hosts: %w", err)
	}
	k.count++
	l.key, l.order = key, k.count
	switch marker {
	case "":
	case "cert-authority":
		l.authority = true
	case "revoked":
		k.revoked[string(key.Marshal())] = l
		return nil
	default:
		return fmt.Errorf("unknown marker %.32q", "@"+marker)
	}
	if !l.authority {
		k.hashed = strings.HasPrefix(patterns[0], "|")
	}
	if strings.HasPrefix(patterns[0], "|") {
		if l.salt, l.hash, err = parseHashed(patterns); err != nil {
			return err
		}
		k.others = append(k.others, l)
		return nil
	}
	for _, pattern := range patterns {
		l.patterns = append(l.patterns, normalize(pattern))
	}
	if slices.ContainsFunc(l.patterns, func(pattern string) bool { return strings.ContainsAny(pattern, "*?!") }) {
		k.others = append(k.others, l)
		return nil
	}
	for _, name := range l.patterns {
		k.plain[name] = append(k.plain[name], l)
	}
	return nil
}

// normalize returns a pattern in lower case, and a name without the port that everybody means. The port of a pattern with
// wildcards is part of what they match, as it is for ssh: without it [*]:22 would hold for [web1]:2222. Exclusions stay as
// they are too: matches reads them either way.
func normalize(pattern string) string {
	pattern = strings.ToLower(pattern)
	name, ported := strings.CutSuffix(pattern, "]:22")
	if ported && strings.HasPrefix(name, "[") && !strings.ContainsAny(name, "*?") {
		return name[1:]
	}
	return pattern
}

// isForeign tells whether a line is well formed but has a key of a type that the SSH library does not know, by its word
// and by the key itself. ssh passes over the keys that it does not know, and so can we: no host proves itself to us with
// such a key, and none need be revoked.
func isForeign(text []byte) bool {
	fields := strings.Fields(string(text))
	if len(fields) > 0 && (fields[0] == "@cert-authority" || fields[0] == "@revoked") {
		fields = fields[1:]
	}
	if len(fields) < 3 || strings.HasPrefix(fields[0], "@") {
		return false
	}
	name := fields[1]
	supported, insecure := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	if slices.Contains(slices.Concat(
		supported.HostKeys, supported.PublicKeyAuths, insecure.HostKeys, insecure.PublicKeyAuths), name) {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(fields[2])
	var stated struct {
		Type string
		Rest []byte `ssh:"rest"`
	}
	return err == nil && ssh.Unmarshal(key, &stated) == nil && stated.Type == name && len(stated.Rest) > 0
}

// parseHashed reads a hashed name: |1|salt|hash, both in base64.
func parseHashed(patterns []string) (salt, hash []byte, err error) {
	parts := strings.Split(patterns[0], "|")
	if len(patterns) != 1 || len(parts) != 4 || parts[1] != "1" {
		return nil, nil, errors.New("not a hashed name that we know")
	}
	if salt, err = base64.StdEncoding.DecodeString(parts[2]); err == nil {
		hash, err = base64.StdEncoding.DecodeString(parts[3])
	}
	if err != nil || len(salt) == 0 || len(hash) != sha1.Size {
		return nil, nil, errors.New("a hashed name that is broken")
	}
	return salt, hash, nil
}

// find returns the lines that hold for a name in lower case, web1 or [web1]:2222, in their order.
func (k *knownHosts) find(name string) []*knownLine {
	found := slices.Clone(k.plain[name])
	for _, l := range k.others {
		if l.matches(name) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b *knownLine) int { return cmp.Compare(a.order, b.order) })
	return slices.Compact(found) // a line may have the same name twice
}

// matches tells whether a line holds for a name: one of its patterns does, and none that begins with an exclamation mark.
// An exclusion also holds if it names port 22 of a name without a port, as in ![*.example.org]:22: ssh has no such lines,
// and whoever writes one means it.
func (l *knownLine) matches(name string) bool {
	if l.salt != nil {
		mac := hmac.New(sha1.New, l.salt)
		mac.Write([]byte(name))
		return hmac.Equal(mac.Sum(nil), l.hash)
	}
	ported := name
	if !strings.HasPrefix(name, "[") {
		ported = "[" + name + "]:22"
	}
	matched := false
	for _, pattern := range l.patterns {
		excluded, exclusion := strings.CutPrefix(pattern, "!")
		switch {
		case exclusion && (wildcard.Match(excluded, name) || wildcard.Match(excluded, ported)):
			return false
		case !exclusion && wildcard.Match(pattern, name):
			matched = true
		}
	}
	return matched
}
