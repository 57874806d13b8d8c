package passwords

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
)

const (
	// budget is how many hosts a shared password is sent to before one of them has taken it. As many again follow where
	// the first don't answer.
	budget = 3
	// fresh is for how long a host that took a shared password speaks for the others.
	fresh = 10 * time.Second
	// overdue is when a host that has not answered no longer keeps others waiting. Hosts answer a right password within a
	// second; after a wrong one they wait for two or three.
	overdue = 5 * time.Second
)

// shared is a user and a password that several accounts share, in this process.
type shared struct {
	key      string // in the table; empty while nothing is stored and nothing had to be looked up
	accepted time.Time
	ever     bool              // some host has taken it
	flying   map[int]time.Time // when it was sent to those that have not answered
	next     int
	changed  chan struct{} // closed, and replaced, when anything changes
}

// gate is a remote.PasswordGate.
type gate struct {
	guard   *Guard
	account Account
}

// Enter waits until the password may be sent. See remote.PasswordGate.
func (g *gate) Enter(ctx context.Context) (leave func(remote.PasswordOutcome), err error) {
	for {
		number, wait, refused := g.try()
		switch {
		case refused != nil:
			return nil, refused
		case wait == nil:
			return func(o remote.PasswordOutcome) { g.leave(number, o) }, nil
		}
		patience := time.NewTimer(wait.atMost)
		select {
		case <-wait.changed:
		case <-patience.C:
		case <-ctx.Done():
			patience.Stop()
			return nil, ctx.Err()
		}
		patience.Stop()
	}
}

// wait is what has to change before it is worth trying again.
type wait struct {
	changed <-chan struct{}
	atMost  time.Duration
}

// try enters, or says what to wait for, or why the password is not sent at all.
func (g *gate) try() (number int, _ *wait, _ *failure.Error) {
	guard := g.guard
	guard.prepare(&g.account)
	guard.mu.Lock()
	defer guard.mu.Unlock()
	if r := guard.refusalOf(&g.account); r != nil && r.held() {
		return 0, nil, r.failure(&g.account)
	}
	s := guard.sharedBy(&g.account)
	if s == nil {
		return 0, nil, nil
	}
	now := guard.now()
	stored := guard.pairs[s.key]
	if stored == nil {
		stored = new(pairState)
	}
	flying, late, next := s.count(now)
	asked := slices.Contains(stored.Asked, g.account.Host)
	switch {
	case asked, len(stored.Refused) == 0 && s.ever && now.Sub(s.accepted) < fresh:
	case stored.held():
		return 0, nil, stored.failure(&g.account)
	case len(stored.Refused)+flying >= budget, stored.Unanswered+late+flying >= 2*budget && !s.ever:
		return 0, &wait{s.changed, next}, nil
	}
	s.next++
	s.flying[s.next] = now
	return s.next, nil, nil
}

// count returns how many hosts have the password and may answer soon, how many are late, and when the next one is.
func (s *shared) count(now time.Time) (flying, late int, next time.Duration) {
	next = overdue
	for _, sent := range s.flying {
		left := sent.Add(overdue).Sub(now)
		if left <= 0 {
			late++
			continue
		}
		flying++
		next = min(next, left)
	}
	return flying, late, next
}

// sharedBy returns what is known of an account's user and password if others have them too; nil: none has. The caller
// holds the lock.
func (g *Guard) sharedBy(a *Account) *shared {
	p := pair{a.User, a.Password}
	if g.users[p] < 2 {
		return nil
	}
	s := g.live[p]
	if s == nil {
		s = &shared{flying: make(map[int]time.Time), changed: make(chan struct{})}
		g.live[p] = s
	}
	if s.key == "" && len(g.pairs) > 0 && g.slow[a.Password] != nil {
		s.key = g.pairKey(p)
	}
	return s
}

// leave takes note of what became of the password.
func (g *gate) leave(number int, outcome remote.PasswordOutcome) {
	keys := g.note(number, outcome)
	if len(keys) == 0 {
		return
	}
	if err := g.guard.keep(keys...); err != nil {
		g.guard.log.Error("what became of a password is not kept: after a restart it may be sent once more",
			"host", g.account.Host, "err", err)
	}
}

// note changes what is known, and returns the keys of the table under which it is to be stored.
func (g *gate) note(number int, outcome remote.PasswordOutcome) (keys []string) {
	guard := g.guard
	if outcome == remote.PasswordRefused || outcome == remote.PasswordUnanswered {
		guard.stretch(g.account.Password)
	} else {
		guard.prepare(&g.account) // something may have become known since it was sent
	}
	guard.mu.Lock()
	defer guard.mu.Unlock()
	s := guard.sharedBy(&g.account)
	if s != nil {
		delete(s.flying, number)
		defer func() {
			close(s.changed)
			s.changed = make(chan struct{})
		}()
	}
	key := g.account.hostKey()
	switch outcome {
	case remote.PasswordAccepted:
		return guard.accept(s, key)
	case remote.PasswordRefused:
		guard.hosts[key] = guard.refusal(&g.account, 0)
		keys = append(keys, saltKey, key)
		if s != nil {
			guard.pairOf(s, &g.account).refuse(g.account.Host)
			keys = append(keys, s.key)
		}
	case remote.PasswordUnanswered:
		unanswered := 1
		if r := guard.refusalOf(&g.account); r != nil {
			unanswered += r.Unanswered
		}
		guard.hosts[key] = guard.refusal(&g.account, unanswered)
		keys = append(keys, saltKey, key)
		if s != nil && !s.ever {
			guard.pairOf(s, &g.account).Unanswered++
			keys = append(keys, s.key)
		}
	}
	return keys
}

// accept forgets what spoke against a password that the host of a key has taken, and returns the keys of what it was. The
// caller holds the lock.
func (g *Guard) accept(s *shared, key string) (keys []string) {
	if g.hosts[key] != nil {
		delete(g.hosts, key)
		keys = append(keys, key)
	}
	if s == nil {
		return keys
	}
	s.accepted, s.ever = g.now(), true
	if g.pairs[s.key] != nil {
		delete(g.pairs, s.key)
		keys = append(keys, s.key)
	}
	return keys
}

func (g *Guard) refusal(a *Account, unanswered int) *refusal {
	return &refusal{
		Host: a.Host, User: a.User, Verifier: g.verifier(a), Since: g.now().UTC().Truncate(time.Second), Unanswered: unanswered,
	}
}

// pairOf returns what is to be stored of a shared password, which is stretched, as of now. The caller holds the lock.
func (g *Guard) pairOf(s *shared, a *Account) *pairState {
	if s.key == "" {
		s.key = g.pairKey(pair{a.User, a.Password})
	}
	p := g.pairs[s.key]
	if p == nil {
		p = &pairState{User: a.User}
		g.pairs[s.key] = p
	}
	p.Since = g.now().UTC().Truncate(time.Second)
	return p
}

// refuse adds a host to those that refused the password.
func (p *pairState) refuse(name string) {
	p.Asked = slices.DeleteFunc(p.Asked, func(host string) bool { return host == name })
	if !slices.Contains(p.Refused, name) && len(p.Refused) < 2*budget { // a few more may have been on their way
		p.Refused = append(p.Refused, name)
	}
}

// failure says why a password is not sent to a host.
func (r *refusal) failure(a *Account) *failure.Error {
	text := "the password of user %q was refused by the host at %s, and is not sent again"
	if r.Unanswered > 0 {
		text = "the password of user %q was sent three times without an answer, the last time at %s, and is not sent again"
	}
	return &failure.Error{
		Kind: failure.PasswordRefused,
		Err:  fmt.Errorf(text, a.User, r.Since.Format(time.RFC3339)),
		Advice: "correct the password in the configuration; if it is right, see that the account is not locked, and run: " +
			"muster login retry " + remote.Quote(a.Host),
	}
}

func (p *pairState) failure(a *Account) *failure.Error {
	what := "refused by " + strings.Join(p.Refused, ", ")
	if len(p.Refused) < budget {
		what = fmt.Sprintf("sent %d times without an answer", p.Unanswered)
	}
	return &failure.Error{
		Kind: failure.PasswordRefused,
		Err: fmt.Errorf("the password of user %q was %s, the last at %s, and accepted by none since: it is not tried on more hosts",
			a.User, what, p.Since.Format(time.RFC3339)),
		Advice: "correct the password in the configuration; if it is right for this host, run: muster login retry " +
			remote.Quote(a.Host),
	}
}
