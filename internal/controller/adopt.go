package controller

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"muster/internal/config"
	"muster/internal/health"
	"muster/internal/mail"
	"muster/internal/outbox"
)

// sender hands mails to the mail server that the configuration names, which another one may replace.
type sender struct{ current atomic.Pointer[mail.Sender] }

func newSender(m *config.Mail) (*sender, error) {
	made, err := mailSender(m)
	if err != nil {
		return nil, fmt.Errorf("mail server %w: %w", ErrUnusable, err)
	}
	s := new(sender)
	s.current.Store(made)
	return s, nil
}

func mailSender(m *config.Mail) (*mail.Sender, error) {
	return mail.New(mail.Server{
		Host: m.Host, Port: m.Port, Security: m.Security, Username: m.Username, Password: m.Password.Reveal(),
		From: m.From, CA: m.CA, Timeout: m.Timeout,
	})
}

// Send is that of the mail server.
func (s *sender) Send(ctx context.Context, messages ...mail.Message) error {
	return s.current.Load().Send(ctx, messages...)
}

// Check is that of the mail server.
func (s *sender) Check(ctx context.Context) error { return s.current.Load().Check(ctx) }

func (p *pipeline) newOutbox(ctx context.Context, s *sender) (*outbox.Outbox, error) {
	o, err := outbox.New(ctx, outbox.Options{Table: p.queue.Table(mailTable), Sender: s, Logger: p.log, Now: p.now})
	if err != nil {
		return nil, fmt.Errorf("queue %w: %w", ErrUnusable, err)
	}
	return o, nil
}

// reload checks another configuration, and returns what takes it over. Queue and data directory are those of before.
func (p *pipeline) reload(ctx context.Context, next *config.Config, changed changes) (func(context.Context), error) {
	old := p.parts.Load()
	now := &parts{config: next, database: old.database}
	var err error
	if changed.database {
		if now.database, err = newDatabase(next, p.log, p.now); err != nil {
			return nil, err
		}
	}
	var fresh *sender
	if next.Mail != nil {
		if fresh, err = newSender(next.Mail); err != nil {
			return nil, err
		}
		now.outbox, now.sender = old.outbox, old.sender
		if old.outbox == nil {
			now.sender = fresh
			if now.outbox, err = p.newOutbox(ctx, fresh); err != nil {
				return nil, err
			}
		}
	}
	return func(ctx context.Context) {
		p.adoptMail(old, now, fresh, changed.mail)
		p.adoptDatabase(ctx, old, now, changed)
		p.health.SetHosts(healthHosts(next))
		p.health.SetSchedule(next.Server.Interval, next.Server.Backoff)
	}, nil
}

// adoptMail changes over to another mail server. Letters that wait stay where they are, and go to the new one.
func (p *pipeline) adoptMail(old, now *parts, fresh *sender, changed bool) {
	switch {
	case old.outbox == now.outbox && now.outbox != nil:
		if changed {
			now.sender.current.Store(fresh.current.Load())
			now.outbox.Hurry()
		}
		return
	case old.outbox != nil:
		p.postman.stop()
		if n := old.outbox.State().Waiting; n > 0 {
			p.log.Warn("no mail server is configured any more: mails wait until there is one", "waiting", n)
		}
	}
	p.postman = newPostman(now.outbox)
}

// adoptDatabase changes over to another database, or has the one that stays told which hosts there are.
func (p *pipeline) adoptDatabase(ctx context.Context, old, now *parts, changed changes) {
	if !changed.database && len(changed.added)+len(changed.removed) == 0 {
		p.parts.Store(now)
		p.watch.Set(settings(now))
		return
	}
	p.writers.stop() // what they were about is done again
	if changed.database {
		if err := old.database.Close(); err != nil {
			p.log.WarnContext(ctx, "the database of before is not closed well", "err", err)
		}
		p.watch.Reproject()
	} else {
		now.database.setHosts(now.config.Hosts)
	}
	p.parts.Store(now)
	p.watch.Set(settings(now))
	p.startWriters()
}

// healthHosts returns the hosts of a configuration as health knows them.
func healthHosts(c *config.Config) []health.Host {
	hosts := make([]health.Host, 0, len(c.Hosts))
	for i := range c.Hosts {
		hosts = append(hosts, health.Host{Name: c.Hosts[i].Name, Group: strings.Join(c.Hosts[i].Groups, "/")})
	}
	return hosts
}
