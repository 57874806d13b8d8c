package passwords

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/scrypt"

	"muster/internal/remote"
)

// Table is where refusals are kept. Put and Delete return when it is on disk.
type Table interface {
	All(ctx context.Context) (map[string][]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// The keys of the table: the salt, and what the names of the others begin with.
const (
	saltKey    = "salt"
	hostPrefix = "host."
	pairPrefix = "pair."
)

// scryptCost is scrypt's N: a guess takes 16 MB and some hundredth of a second.
const scryptCost = 1 << 14

// writeTimeout bounds what waits for the table.
const writeTimeout = 10 * time.Second

// Account is where a password is sent.
type Account struct {
	Host     string // its name in the configuration, for people
	User     string
	Address  string
	Port     int
	Password string
}

// Options are what a Guard works with.
type Options struct {
	Table  Table
	Logger *slog.Logger
	Now    func() time.Time
}

// Guard decides when passwords may be sent. Make it with New.
type Guard struct {
	table Table
	log   *slog.Logger
	now   func() time.Time
	disk  sync.Mutex // held while the table is written, so that what is there is what is here

	hashing sync.Mutex // held while scrypt works: one at a time, for the sake of memory

	mu    sync.Mutex
	salt  []byte
	slow  map[string][]byte     // by password: what scrypt makes of it
	hosts map[string]*refusal   // by key of the table
	pairs map[string]*pairState // by key of the table, of those that are stored
	live  map[pair]*shared
	users map[pair]int         // how many accounts of the configuration share a user and a password
	named map[string][]Account // by the host's name
}

// pair is a user with a password.
type pair struct{ user, password string }

// refusal is what is stored of an account whose password is not to be sent.
type refusal struct {
	Host       string    `json:"host"`
	User       string    `json:"user"`
	Verifier   []byte    `json:"verifier"` // of the password
	Since      time.Time `json:"since"`    // when it was refused, or not answered for the last time
	Unanswered int       `json:"unanswered,omitempty"`
}

// maxUnanswered is how often a password is sent without an answer.
const maxUnanswered = 3

// held tells whether the password is not to be sent.
func (r *refusal) held() bool { return r.Unanswered == 0 || r.Unanswered >= maxUnanswered }

// pairState is what is stored of a user and a password that several hosts share.
type pairState struct {
	User    string    `json:"user"`
	Since   time.Time `json:"since"`           // of the last refusal, or the last time that it was not answered
	Refused []string  `json:"refused"`         // hosts, none of which has taken it since another did
	Asked   []string  `json:"asked,omitempty"` // hosts for which a person asks
	// Unanswered is how often it was sent and never answered, by whatever host, while none has taken it.
	Unanswered int `json:"unanswered,omitempty"`
}

// held tells whether the password is sent to no further host.
func (p *pairState) held() bool { return len(p.Refused) >= budget || p.Unanswered >= 2*budget }

// New reads the table. The error is that of the table.
func New(ctx context.Context, o Options) (*Guard, error) {
	g := &Guard{
		table: o.Table, log: o.Logger, now: o.Now,
		slow: make(map[string][]byte), hosts: make(map[string]*refusal), pairs: make(map[string]*pairState),
		live: make(map[pair]*shared), salt: make([]byte, 16),
	}
	rand.Read(g.salt) // never fails: crypto/rand ends the program instead
	all, err := o.Table.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read which passwords were refused: %w", err)
	}
	for key, value := range all {
		if err := g.read(key, value); err != nil {
			return nil, fmt.Errorf("read which passwords were refused: %s: %w", key, err)
		}
	}
	return g, nil
}

func (g *Guard) read(key string, value []byte) error {
	switch {
	case key == saltKey:
		g.salt = value
	case strings.HasPrefix(key, hostPrefix):
		r := new(refusal)
		g.hosts[key] = r
		return json.Unmarshal(value, r)
	case strings.HasPrefix(key, pairPrefix):
		p := new(pairState)
		g.pairs[key] = p
		return json.Unmarshal(value, p)
	}
	return nil
}

// SetAccounts says which accounts there are: who shares a password with whom is found out from them. It is called before
// the first visit, and whenever the configuration has changed.
func (g *Guard) SetAccounts(accounts []Account) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users = make(map[pair]int)
	g.named = make(map[string][]Account)
	known := make(map[string]bool)
	for _, a := range accounts {
		g.named[a.Host] = append(g.named[a.Host], a)
		if id := a.id(); a.Password != "" && !known[id] {
			known[id] = true
			g.users[pair{a.User, a.Password}]++
		}
	}
}

// id is what makes an account the same one, without its password.
func (a *Account) id() string {
	return strings.Join([]string{a.User, strings.ToLower(a.Address), strconv.Itoa(a.Port)}, "\x00")
}

// hostKey is an account's key in the table. What is hashed is no secret.
func (a *Account) hostKey() string {
	sum := sha256.Sum256([]byte(a.id()))
	return hostPrefix + hex.EncodeToString(sum[:16])
}

// Gate returns what is asked before the account's password is sent; nil if it has none.
func (g *Guard) Gate(a Account) remote.PasswordGate {
	if a.Password == "" {
		return nil
	}
	return &gate{guard: g, account: a}
}

// prepare makes of a password what its hashes take, if something is known of the account that has to be compared with
// it. It takes some hundredth of a second, for which nobody else has to wait.
func (g *Guard) prepare(a *Account) {
	g.mu.Lock()
	_, ready := g.slow[a.Password]
	wanted := g.hosts[a.hostKey()] != nil || len(g.pairs) > 0 && g.users[pair{a.User, a.Password}] > 1
	g.mu.Unlock()
	if wanted && !ready {
		g.stretch(a.Password)
	}
}

// stretch has scrypt work on a password, unless it has.
func (g *Guard) stretch(password string) {
	g.hashing.Lock()
	defer g.hashing.Unlock()
	g.mu.Lock()
	_, ready := g.slow[password]
	g.mu.Unlock()
	if ready {
		return
	}
	slow, err := scrypt.Key([]byte(password), g.salt, scryptCost, 8, 1, sha256.Size)
	if err != nil {
		panic(err) // of parameters that are no powers of two
	}
	g.mu.Lock()
	g.slow[password] = slow
	g.mu.Unlock()
}

// hash returns a keyed hash of a text under a password that was prepared. The caller holds the lock.
func (g *Guard) hash(password, text string) []byte {
	mac := hmac.New(sha256.New, g.slow[password])
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func (g *Guard) verifier(a *Account) []byte { return g.hash(a.Password, "host\x00"+a.id()) }

func (g *Guard) pairKey(p pair) string {
	return pairPrefix + hex.EncodeToString(g.hash(p.password, "pair\x00"+p.user)[:16])
}

// refusalOf returns what is known of an account with its password; nil: nothing. The caller holds the lock.
func (g *Guard) refusalOf(a *Account) *refusal {
	r := g.hosts[a.hostKey()]
	if r == nil || !hmac.Equal(r.Verifier, g.verifier(a)) {
		return nil // or of another password
	}
	return r
}

// keep writes to the table what is known now under some keys of it. The caller does not hold the lock.
func (g *Guard) keep(keys ...string) error {
	g.disk.Lock()
	defer g.disk.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	var errs []error
	for _, key := range keys {
		value, err := g.stored(key)
		switch {
		case err != nil:
		case value == nil:
			err = g.table.Delete(ctx, key)
		default:
			err = g.table.Put(ctx, key, value)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// stored returns the value of a key in the table; nil: it is not to be there.
func (g *Guard) stored(key string) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if key == saltKey {
		return g.salt, nil
	}
	if r := g.hosts[key]; r != nil {
		return json.Marshal(r)
	}
	if p := g.pairs[key]; p != nil {
		return json.Marshal(p)
	}
	return nil, nil
}
