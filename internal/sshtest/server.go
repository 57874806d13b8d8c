package sshtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Options say how a server behaves. Only Home is required, and in most cases Keys or Password.
type Options struct {
	Home     string          // the folder in which commands run and SFTP starts, and their HOME
	Env      []string        // NAME=value, added to the environment of commands, which is otherwise small
	User     string          // who may log in; empty: anybody
	Keys     []ssh.PublicKey // who has the private key of one may log in
	Password string          // who knows it may log in; empty: nobody may by password
	HostKeys []ssh.Signer    // empty: an Ed25519 key is generated

	Exec      Handler                              // runs commands; nil: Shell
	SFTP      Handler                              // serves the sftp subsystem; nil: ServeFiles
	Accept    func(net.Conn) net.Conn              // given each connection first; nil: as it is. May return nil: it is over
	Refuse    func(request string) bool            // asked for "session", "exec" and "sftp"; nil: nothing is refused
	Configure func(*ssh.ServerConfig)              // changes the configuration of a login; nil: as it is
	Channel   func(channel ssh.NewChannel)         // given every channel that is no session, in a goroutine; nil: they are refused
	Requests  func(request *ssh.Request) (ok bool) // told of every other request on a session; nil: they are refused
}

// Server is a listening server.
type Server struct {
	options  Options
	listener net.Listener
	cancel   context.CancelFunc // ends what runs in sessions
	tasks    sync.WaitGroup

	mu       sync.Mutex
	closing  bool
	hostKeys []ssh.Signer
	open     map[net.Conn]struct{}
	accepted int
	closed   chan struct{} // closed and replaced when a connection ends
}

// New starts a server on a free port of 127.0.0.1. The caller must Close it.
func New(o Options) (*Server, error) {
	if o.Home == "" {
		return nil, errors.New("sshtest: no home folder is given")
	}
	if o.Exec == nil {
		o.Exec = Shell
	}
	if o.SFTP == nil {
		o.SFTP = ServeFiles
	}
	if len(o.HostKeys) == 0 {
		key, err := NewKey()
		if err != nil {
			return nil, err
		}
		o.HostKeys = []ssh.Signer{key}
	}
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("sshtest: %w", err)
	}
	s := &Server{
		options: o, listener: listener, cancel: cancel,
		hostKeys: o.HostKeys, open: make(map[net.Conn]struct{}), closed: make(chan struct{}),
	}
	s.tasks.Go(func() { s.listen(ctx) })
	return s, nil
}

// NewKey generates an Ed25519 key pair.
func NewKey() (ssh.Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("sshtest: generate a key: %w", err)
	}
	return ssh.NewSignerFromKey(private)
}

// Addr returns the address of the listener, 127.0.0.1 and a port.
func (s *Server) Addr() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// KnownHostsLine returns what to write into a known_hosts file for this server: a line for each host key, each with its
// line end.
func (s *Server) KnownHostsLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines strings.Builder
	for _, key := range s.hostKeys {
		fmt.Fprintln(&lines, knownhosts.Line([]string{s.Addr().String()}, key.PublicKey()))
	}
	return lines.String()
}

// SetHostKeys replaces the host keys for the connections to come, as the reinstallation of a machine does.
func (s *Server) SetHostKeys(keys ...ssh.Signer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostKeys = keys
}

// Connections returns how many connections are open, and how many have been accepted since the start.
func (s *Server) Connections() (open, accepted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open), s.accepted
}

// AwaitNone waits until no connection is open, which a server learns in its own time after its client has closed one. It
// returns how many are open if ctx ends before.
func (s *Server) AwaitNone(ctx context.Context) (open int) {
	for {
		s.mu.Lock()
		open, closed := len(s.open), s.closed
		s.mu.Unlock()
		if open == 0 {
			return 0
		}
		select {
		case <-closed:
		case <-ctx.Done():
			return open
		}
	}
}

// Disconnect breaks off all connections, as a restart of a machine does. The server goes on listening.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

// Close stops listening, breaks off all connections, kills what runs in them and waits until all has ended. It may be
// called more than once.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.cancel()
	s.Disconnect()
	s.tasks.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) listen(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a connection that was gone before it was accepted
		}
		s.tasks.Go(func() { s.serve(ctx, conn) })
	}
}

// track registers a connection, unless the server is closing.
func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.open[conn] = struct{}{}
	s.accepted++
	return true
}

func (s *Server) forget(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	close(s.closed)
	s.closed = make(chan struct{})
}

// serve is one connection from beginning to end.
func (s *Server) serve(ctx context.Context, raw net.Conn) {
	defer s.forget(raw)
	if !s.track(raw) {
		return
	}
	conn := raw
	if s.options.Accept != nil {
		if conn = s.options.Accept(raw); conn == nil {
			return
		}
	}
	server, channels, requests, err := ssh.NewServerConn(conn, s.config())
	if err != nil {
		return
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer func() { _ = server.Close() }()
	tasks.Go(func() { ssh.DiscardRequests(requests) })
	for channel := range channels {
		tasks.Go(func() { s.session(ctx, server, channel) })
	}
}

// config is the configuration of one login.
func (s *Server) config() *ssh.ServerConfig {
	config := &ssh.ServerConfig{ServerVersion: "SSH-2.0-sshtest"}
	if s.options.Password != "" {
		config.PasswordCallback = func(c ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if !s.admits(c.User()) || subtle.ConstantTimeCompare(given, []byte(s.options.Password)) != 1 {
				return nil, errors.New("wrong user or password")
			}
			return nil, nil
		}
	}
	if len(s.options.Keys) > 0 {
		config.PublicKeyCallback = func(c ssh.ConnMetadata, given ssh.PublicKey) (*ssh.Permissions, error) {
			for _, key := range s.options.Keys {
				if s.admits(c.User()) && bytes.Equal(key.Marshal(), given.Marshal()) {
					return nil, nil
				}
			}
			return nil, errors.New("unknown user or key")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.hostKeys {
		config.AddHostKey(key)
	}
	if s.options.Configure != nil {
		s.options.Configure(config)
	}
	return config
}

func (s *Server) admits(user string) bool { return s.options.User == "" || s.options.User == user }

func (s *Server) refuses(request string) bool {
	return s.options.Refuse != nil && s.options.Refuse(request)
}
