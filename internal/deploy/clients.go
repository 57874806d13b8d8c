package deploy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"weak"

	"github.com/klauspost/compress/zstd"

	"muster/internal/deploy/manifest"
)

//go:embed clients
var embedded embed.FS

// ErrNoClients says that a folder holds no set of clients.
var ErrNoClients = errors.New("there are no clients here")

// Platform is what a client is built for, in Go's words.
type Platform = manifest.Platform

// Clients is a set of clients, one for each platform. Programs are unpacked when they are first needed, checked against
// their SHA-256, shared by all uploads that go on at the same time, and given back to the garbage collector after the last
// one. It is safe for concurrent use.
type Clients struct {
	folder  fs.FS
	clients map[Platform]*client // written by Open alone
}

// client is the client for one platform. Its content is held weakly: uploads keep it alive.
type client struct {
	manifest.Entry
	platform Platform
	unpack   sync.Mutex
	content  weak.Pointer[content] // guarded by unpack
}

// content is an unpacked program. Whoever uses its bytes holds on to the content, so that others find it.
type content struct{ bytes []byte }

// Embedded returns the clients built into this server. The error says to run make where there are none, and can be tested
// for with errors.Is(err, ErrNoClients).
func Embedded() (*Clients, error) {
	folder, err := fs.Sub(embedded, "clients")
	if err != nil {
		return nil, fmt.Errorf("open the embedded clients: %w", err)
	}
	clients, err := Open(folder)
	if errors.Is(err, ErrNoClients) {
		return nil, fmt.Errorf("this server was built without clients: run make, and use what it builds (%w)", err)
	}
	return clients, err
}

// Open returns the set of clients in folder, as the command buildclients leaves it. The folder must stay as it is for as
// long as the set is used. Errors: ErrNoClients where the folder has no manifest; others where the set is damaged.
func Open(folder fs.FS) (*Clients, error) {
	text, err := fs.ReadFile(folder, manifest.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoClients
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest of the clients: %w", err)
	}
	m, err := manifest.Parse(text)
	if err != nil {
		return nil, err
	}
	c := &Clients{folder: folder, clients: make(map[Platform]*client, len(m.Clients))}
	for _, entry := range m.Clients {
		p, err := manifest.ParsePlatform(entry.Platform)
		if err != nil {
			return nil, err
		}
		if _, err := fs.Stat(folder, p.FileName()); err != nil {
			return nil, fmt.Errorf("the set of clients is incomplete: %w", err)
		}
		c.clients[p] = &client{Entry: entry, platform: p}
	}
	return c, nil
}

// Platforms returns the platforms that the set has a client for, in the order of manifest.Platforms.
func (c *Clients) Platforms() []Platform {
	var platforms []Platform
	for _, p := range manifest.Platforms() {
		if c.clients[p] != nil {
			platforms = append(platforms, p)
		}
	}
	return platforms
}

// Entry describes the client for a platform. It is empty where there is none.
func (c *Clients) Entry(p Platform) manifest.Entry {
	if found, ok := c.clients[p]; ok {
		return found.Entry
	}
	return manifest.Entry{}
}

// Program returns the program for a platform, unpacked and checked. Others may share the bytes: they must not be written
// to.
func (c *Clients) Program(p Platform) ([]byte, error) {
	found, ok := c.clients[p]
	if !ok {
		return nil, fmt.Errorf("there is no client for %s", p)
	}
	program, err := found.program(c.folder)
	if err != nil {
		return nil, err
	}
	return program.bytes, nil
}

// program returns the client's program. One goroutine unpacks it, others wait for that one and share what it has.
func (c *client) program(folder fs.FS) (*content, error) {
	c.unpack.Lock()
	defer c.unpack.Unlock()
	if held := c.content.Value(); held != nil {
		return held, nil
	}
	packed, err := fs.ReadFile(folder, c.platform.FileName())
	if err != nil {
		return nil, fmt.Errorf("read the client for %s: %w", c.platform, err)
	}
	bytes, err := unpack(packed, c.Entry)
	if err != nil {
		return nil, fmt.Errorf("unpack the client for %s: %w: run make again", c.platform, err)
	}
	program := &content{bytes}
	c.content = weak.Make(program)
	return program, nil
}

// unpack returns the program that is packed, if it is what the entry says.
func unpack(packed []byte, entry manifest.Entry) ([]byte, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(manifest.MaxSize))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	program, err := decoder.DecodeAll(packed, make([]byte, 0, entry.Size))
	if err != nil {
		return nil, err
	}
	if int64(len(program)) != entry.Size {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(program), entry.Size)
	}
	if sum := sha256.Sum256(program); hex.EncodeToString(sum[:]) != entry.SHA256 {
		return nil, fmt.Errorf("its SHA-256 is %x, not %s", sum, entry.SHA256)
	}
	return program, nil
}
