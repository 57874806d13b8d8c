// Package manifest describes a set of clients: which platforms there is a client for, and the size, SHA-256 and version
// of each. The tool that builds the clients writes it, the server that deploys them reads it.
//
// A set is a folder with one zstd file for each platform and the manifest beside them. The manifest is written last and
// removed first, so that a folder with a manifest is a complete set. The package keeps no state.
package manifest

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// FileName is the name of the manifest in its folder.
const FileName = "manifest.json"

// MaxSize bounds a client, in bytes before compression: four times what a client is allowed to grow to.
const MaxSize = 16 << 20

// Platform is what a client is built for, in Go's words.
type Platform struct{ OS, Arch string }

// String returns the platform as os/arch.
func (p Platform) String() string { return p.OS + "/" + p.Arch }

// FileName returns the name of the platform's compressed client in its folder.
func (p Platform) FileName() string { return p.OS + "-" + p.Arch + ".zst" }

// Platforms returns every platform that Muster has a client for, ordered as they are built.
func Platforms() []Platform {
	return []Platform{
		{"linux", "amd64"}, {"linux", "arm64"},
		{"windows", "amd64"}, {"windows", "arm64"},
		{"darwin", "amd64"}, {"darwin", "arm64"},
		{"freebsd", "amd64"}, {"freebsd", "arm64"},
	}
}

// ParsePlatform reads os/arch. It refuses what Platforms does not list.
func ParsePlatform(s string) (Platform, error) {
	var known []string
	for _, p := range Platforms() {
		if p.String() == s {
			return p, nil
		}
		known = append(known, p.String())
	}
	return Platform{}, fmt.Errorf("no platform %q: name one of %s", s, strings.Join(known, ", "))
}

// Entry is one client.
type Entry struct {
	Platform string `json:"platform"` // os/arch
	Version  string `json:"version"`
	Size     int64  `json:"size"`   // bytes of the program, before compression
	SHA256   string `json:"sha256"` // of the program, before compression; 64 lower-case hex digits
}

// Manifest is a set of clients.
type Manifest struct {
	Clients []Entry `json:"clients"`
}

// Encode returns the manifest as JSON, ordered by platform, with one encoding for each value.
func (m Manifest) Encode() ([]byte, error) {
	sorted := Manifest{Clients: slices.Clone(m.Clients)}
	slices.SortFunc(sorted.Clients, func(a, b Entry) int { return cmp.Compare(a.Platform, b.Platform) })
	if err := sorted.check(); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(sorted, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// Parse reads and checks a manifest. It refuses unknown fields, unknown platforms and a platform that comes twice.
func Parse(text []byte) (Manifest, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var m Manifest
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of the clients: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, errors.New("read the manifest of the clients: something follows its end")
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

func (m Manifest) check() error {
	seen := make(map[string]bool, len(m.Clients))
	for _, e := range m.Clients {
		if err := e.check(); err != nil {
			return fmt.Errorf("manifest of the clients: %w", err)
		}
		if seen[e.Platform] {
			return fmt.Errorf("manifest of the clients: %s comes twice", e.Platform)
		}
		seen[e.Platform] = true
	}
	return nil
}

func (e Entry) check() error {
	if _, err := ParsePlatform(e.Platform); err != nil {
		return err
	}
	if e.Version == "" {
		return fmt.Errorf("%s has no version", e.Platform)
	}
	if e.Size <= 0 || e.Size > MaxSize {
		return fmt.Errorf("%s has %d bytes, not 1 to %d", e.Platform, e.Size, MaxSize)
	}
	if sum, err := hex.DecodeString(e.SHA256); err != nil || len(sum) != 32 || strings.ToLower(e.SHA256) != e.SHA256 {
		return fmt.Errorf("%s has the SHA-256 %q, not 64 lower-case hex digits", e.Platform, e.SHA256)
	}
	return nil
}
