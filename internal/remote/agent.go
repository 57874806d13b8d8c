package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	// agentPatience bounds one question to an agent. One that asks a person first has no place here.
	agentPatience = 5 * time.Second
	// agentAtOnce bounds how many questions are under way: ssh-agent works on one at a time anyhow.
	agentAtOnce = 16
	// agentPause is for how long an agent that did not answer is not asked again, so that those who wait for it don't do
	// so one after the other.
	agentPause = 5 * time.Second
	// agentKeys bounds the keys of an agent that are looked at.
	agentKeys = 64
	// agentAnswer bounds what an agent may send in one answer.
	agentAnswer = 1 << 20
)

// Agent is an ssh-agent (draft-ietf-sshm-ssh-agent): a program that keeps private keys and signs with them. It is asked
// for the keys it has when they are first wanted, and again after Refresh, however many connections want them; a question
// is bounded in time, and an agent that does not answer one is left alone for some seconds, after which it is asked again.
// It may be used by any number of dials at once.
type Agent struct {
	path string
	now  func() time.Time
	note func(err error)
	busy chan struct{} // holds a token for each question under way

	mu    sync.Mutex
	list  *agentList // nil: the agent is to be asked
	down  error      // why it did not answer
	since time.Time  // when that was
}

// agentList is what an agent has, or is being asked for.
type agentList struct {
	done chan struct{} // closed when the rest is set
	keys []ssh.PublicKey
	err  error
}

// NewAgent returns the agent whose socket is at a path. It is not asked yet. note, which may be nil, is called with the
// reason when it stops answering, and with nil when it does again; it must not block.
func NewAgent(path string, note func(err error)) *Agent {
	if note == nil {
		note = func(error) {}
	}
	return &Agent{path: path, now: time.Now, note: note, busy: make(chan struct{}, agentAtOnce)}
}

// Refresh has the agent asked anew for its keys when they are wanted next.
func (a *Agent) Refresh() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = nil
}

// Key returns what signs by the agent with the private key of a public key, or of a certificate of one. Whether the agent
// has it is found out by signing.
func (a *Agent) Key(public ssh.PublicKey) ssh.Signer { return &agentKey{agent: a, public: public} }

// keys returns the public keys of the agent. It blocks until they are known, for some seconds at most, or ctx ends.
func (a *Agent) keys(ctx context.Context) ([]ssh.PublicKey, error) {
	for {
		a.mu.Lock()
		list, first := a.list, a.list == nil
		if first {
			list = &agentList{done: make(chan struct{})}
			a.list = list
		}
		a.mu.Unlock()
		if first {
			a.fill(ctx, list)
		}
		select {
		case <-list.done:
			if !first && errors.Is(list.err, context.Canceled) {
				continue // whoever asked has gone: somebody else asks
			}
			return list.keys, list.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fill asks the agent for those who wait for list. A failure is for them alone: how often an agent that fails is asked is
// bounded by the pause, and it may be back long before somebody refreshes.
func (a *Agent) fill(ctx context.Context, list *agentList) {
	list.keys, list.err = a.ask(ctx)
	if list.err != nil {
		a.mu.Lock()
		if a.list == list {
			a.list = nil
		}
		a.mu.Unlock()
	}
	close(list.done)
}

func (a *Agent) ask(ctx context.Context) (keys []ssh.PublicKey, err error) {
	err = a.call(ctx, func(client agent.ExtendedAgent) error {
		listed, err := client.List()
		if err != nil {
			return err
		}
		for _, key := range listed[:min(len(listed), agentKeys)] {
			if public, err := ssh.ParsePublicKey(key.Blob); err == nil { // of a type that we know
				keys = append(keys, public)
			}
		}
		return nil
	})
	return keys, err
}

// sign signs with a key of the agent.
func (a *Agent) sign(ctx context.Context, public ssh.PublicKey, data []byte, algorithm string) (*ssh.Signature, error) {
	var flags agent.SignatureFlags
	switch algorithm {
	case ssh.KeyAlgoRSASHA256:
		flags = agent.SignatureFlagRsaSha256
	case ssh.KeyAlgoRSASHA512:
		flags = agent.SignatureFlagRsaSha512
	}
	var signature *ssh.Signature
	err := a.call(ctx, func(client agent.ExtendedAgent) (err error) {
		if signature, err = client.SignWithFlags(public, data, flags); err != nil {
			err = &agentRefusal{fmt.Errorf("the ssh-agent at %s does not sign with the %s: %w", a.path, describeKey(public), err)}
		}
		return err
	})
	return signature, err
}

// agentRefusal is the answer of an agent that is well and does not have a key, or does not want to use it.
type agentRefusal struct{ error }

func (e *agentRefusal) Unwrap() error { return e.error }

// call asks the agent one question, on a connection of its own.
func (a *Agent) call(ctx context.Context, question func(agent.ExtendedAgent) error) error {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	select {
	case a.busy <- struct{}{}:
		defer func() { <-a.busy }()
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return a.away(ctx.Err())
	}
	if err := a.pausing(); err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", a.path)
	if err != nil {
		return a.failed(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	limited := struct {
		io.Reader
		io.Writer
	}{io.LimitReader(conn, agentAnswer), conn}
	err = question(agent.NewClient(limited))
	var refusal *agentRefusal
	if err != nil && (ctx.Err() != nil || !errors.As(err, &refusal)) {
		return a.failed(ctx, err)
	}
	a.answered()
	return err
}

// away is the failure of an agent that can't be asked.
func (a *Agent) away(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", agentPatience, err)
	}
	return fmt.Errorf("the ssh-agent at %s can't be used: %w", a.path, err)
}

// pausing returns why the agent is left alone now, or nil.
func (a *Agent) pausing() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down != nil && a.now().Sub(a.since) < agentPause {
		return a.down
	}
	return nil
}

// failed notes that the agent did not answer. That whoever asked went away says nothing of it.
func (a *Agent) failed(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	err = a.away(err)
	a.mu.Lock()
	first := a.down == nil
	a.down, a.since = err, a.now()
	a.mu.Unlock()
	if first {
		a.note(err)
	}
	return err
}

func (a *Agent) answered() {
	a.mu.Lock()
	back := a.down != nil
	a.down = nil
	a.mu.Unlock()
	if back {
		a.note(nil)
	}
}

// agentKey signs by an agent.
type agentKey struct {
	agent  *Agent
	public ssh.PublicKey
}

func (k *agentKey) PublicKey() ssh.PublicKey { return k.public }

func (k *agentKey) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(random, data, "")
}

// SignWithAlgorithm signs. The agent has its own source of random numbers.
func (k *agentKey) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	return k.agent.sign(context.Background(), k.public, data, algorithm)
}

// bind returns signer as one whose questions to an agent end with ctx, and who tells failed of those that failed.
func bind(ctx context.Context, signer ssh.Signer, failed func(error)) ssh.Signer {
	switch s := signer.(type) {
	case *agentKey:
		return &boundKey{public: s.public, sign: func(data []byte, algorithm string) (*ssh.Signature, error) {
			signature, err := s.agent.sign(ctx, s.public, data, algorithm)
			if err != nil {
				failed(err)
			}
			return signature, err
		}}
	case *certifiedKey:
		return &certifiedKey{s.certificate, bind(ctx, s.signer, failed)}
	}
	return signer
}

// boundKey is an agentKey within one login.
type boundKey struct {
	public ssh.PublicKey
	sign   func(data []byte, algorithm string) (*ssh.Signature, error)
}

func (k *boundKey) PublicKey() ssh.PublicKey { return k.public }

func (k *boundKey) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) { return k.sign(data, "") }

func (k *boundKey) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	return k.sign(data, algorithm)
}
