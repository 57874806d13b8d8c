package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// longestWay is how many machines may stand between the server and a host.
const longestWay = 8

// via is what a machine is reached through, the nearest to the server first: names of machines, or where they are.
type via []string

func (v *via) parse(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		var one name
		if err := one.parse(item); err != nil {
			return fmt.Errorf("must be names of jump hosts or hosts, or [user@]address[:port], with commas between them: one %w", err)
		}
		*v = append(*v, string(one))
	}
	if len(*v) > 1 && slices.Contains(*v, none) {
		return errors.New("must be none alone: then the machine is reached directly")
	}
	return nil
}

// way is one via="…" that holds at some place of the document, and that which held around it.
type way struct {
	mark  *mark
	names []string
	outer *way
}

// state is how far a machine's way is known.
type state int

const (
	unknown state = iota
	finding
	found
)

// implied is what makes two machines that are not in the document the same: where they are, and how they are logged in to.
type implied struct {
	user, address string
	port          int
	via           *Host
	login         string
}

// overridden is a machine of the document that is reached another way than it says itself, by via="a,b".
type overridden struct{ machine, via *Host }

// connect finds the way to every machine. All of them are settled, and stay where they are.
func (r *resolver) connect() {
	r.byName = make(map[string]*placed, len(r.machines))
	for _, p := range r.machines {
		if key := strings.ToLower(p.host.Name); r.byName[key] == nil {
			r.byName[key] = p
		}
	}
	r.implied, r.overridden = map[implied]*Host{}, map[overridden]*Host{}
	for _, p := range r.machines {
		r.find(p)
	}
	for _, p := range r.machines {
		r.checkWay(p)
	}
	for _, p := range r.machines {
		if p.kind == "jump" && !p.used {
			r.warn(p.at, "no host is reached through this <jump>: name it by via=\"…\"")
		}
	}
}

// find finds the way to one machine, and first to those that it leads through.
func (r *resolver) find(p *placed) {
	if p.state != unknown {
		return
	}
	p.state = finding
	defer func() { p.state = found }()
	w, names := r.wayTo(p)
	if w == nil || w.mark.wrong {
		return
	}
	var last *Host
	for i, name := range names {
		q := r.byName[strings.ToLower(name)]
		switch {
		case q == nil:
			last = r.imply(p, w, name, last)
		case i > 0:
			q.used = true
			last = r.override(q, last)
		case q.state == finding:
			r.circle(p, q)
			return
		default:
			q.used = true
			r.find(q)
			last = q.host
		}
		if w.mark.wrong {
			return
		}
	}
	p.host.Via = last
}

// wayTo returns the via="…" that holds for a machine and what it goes through; nil where it is reached directly. What is
// inherited leads a machine that it names itself only as far as to that machine: so a group may hold its own jump host.
func (r *resolver) wayTo(p *placed) (*way, []string) {
	for w := p.login.via; w != nil; w = w.outer {
		if len(w.names) == 0 || w.names[0] == none {
			return nil, nil
		}
		own := slices.IndexFunc(w.names, func(name string) bool { return r.byName[strings.ToLower(name)] == p })
		if own < 0 || w.mark == p.own {
			return w, w.names
		}
		if own > 0 {
			return w, w.names[:own]
		}
	}
	return nil, nil
}

// circle notes machines that are reached through each other; q was being found when p led to it.
func (r *resolver) circle(p, q *placed) {
	names := []string{quoted(q.host.Name)}
	for at := q; at != p && len(names) <= longestWay; {
		_, through := r.wayTo(at)
		next := r.byName[strings.ToLower(through[0])]
		names = append(names, quoted(next.host.Name))
		at = next
	}
	w, _ := r.wayTo(q)
	if !w.mark.wrong {
		r.wrong(w.mark, `leads in a circle: %s is reached through itself; one of them must say via="none"`,
			strings.Join(append(names, names[0]), " through "))
	}
}

// checkWay notes a way that is too long, or leads through one machine twice.
func (r *resolver) checkWay(p *placed) {
	w, _ := r.wayTo(p)
	if w == nil || w.mark.wrong {
		return
	}
	seen, length := map[string]bool{strings.ToLower(p.host.Name): true}, 0
	for h := p.host.Via; h != nil; h = h.Via {
		key := strings.ToLower(h.Name)
		if length++; length > longestWay {
			r.wrong(w.mark, "leads through more than %d machines", longestWay)
			return
		}
		if seen[key] {
			r.wrong(w.mark, "leads through %s twice", quoted(h.Name))
			return
		}
		seen[key] = true
	}
}

// override returns a machine of the document as it is reached through another than it says itself.
func (r *resolver) override(q *placed, through *Host) *Host {
	key := overridden{q.host, through}
	if r.overridden[key] == nil {
		other := *q.host
		other.Via = through
		r.overridden[key] = &other
	}
	return r.overridden[key]
}

// imply returns the machine that text says the place of, which is logged in to as the host that goes through it.
func (r *resolver) imply(p *placed, w *way, text string, through *Host) *Host {
	user, place, found := strings.Cut(text, "@")
	if !found {
		user, place = "", text
	}
	var who name
	host, number, err := parseHop(place)
	if err == nil && found {
		if err = who.parse(user); err != nil {
			err = fmt.Errorf("the user %w", err)
		}
	}
	if err != nil && r.incomplete {
		return nil // it may be a host that is missing
	}
	if err != nil {
		r.wrong(w.mark, "%s is neither the name of a <jump> or <host> nor [user@]address[:port]: %s", quoted(text),
			r.meant(text, err))
		return nil
	}
	if near := nearest(text, r.jumps); near != "" && !r.doubted[text] && !r.incomplete {
		r.doubted[text] = true
		r.warn(w.mark.at, "%s: there is no <jump> or <host> called %s, so it is an address: did you mean %s?", w.mark,
			quoted(text), near)
	}
	q := placed{at: p.at, kind: p.kind, title: p.title, login: p.login}
	q.login.said.port, q.login.port = number > 0, cmp.Or(number, sshPort)
	q.login.said.knownAs, q.login.knownAs = false, ""
	if found {
		q.login.said.user, q.login.user = true, string(who)
	}
	q.login.loginWrong, q.login.userWrong, q.login.knownWrong = true, true, true // what is wrong is the host's, and noted
	q.host = &Host{
		Name: defaultName(string(host), q.login.port), Address: string(host), Sessions: defaultSessions,
		Timeouts: p.host.Timeouts, Via: through,
	}
	r.settle(&q)
	h := q.host
	key := implied{h.User, h.Address, h.Port, through, loginKey(h)}
	if r.implied[key] == nil {
		r.implied[key] = h
	}
	return r.implied[key]
}

// parseHop reads address[:port], an IPv6 address in brackets where a port follows.
func parseHop(text string) (address, int, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return address(ip.String()), 0, nil
	}
	return parseEndpoint(text)
}

// meant returns what to do about a name that is none.
func (r *resolver) meant(text string, err error) string {
	if near := nearest(text, r.jumps); near != "" {
		return "did you mean " + near + "?"
	}
	return err.Error()
}

// loginKey returns how a machine is logged in to as one text, to compare it by; it holds secrets.
func loginKey(h *Host) string {
	return fmt.Sprintf("%q %q %q %q %q %q %q %q %v", h.Keys, h.Certificates, h.Passphrase.Reveal(), h.Agent,
		h.Password.Reveal(), h.Authentication, h.KnownHosts, h.HostKeys, h.Timeouts)
}

// Jumps returns every machine that hosts are reached through, each once, those that are visited too included: the nearest
// to the server first, and otherwise in the order of the hosts. They are shared and must not be changed.
func (c *Config) Jumps() []*Host {
	var all []*Host
	seen := map[*Host]bool{}
	var add func(h *Host)
	add = func(h *Host) {
		if h != nil && !seen[h] {
			seen[h] = true
			add(h.Via)
			all = append(all, h)
		}
	}
	for i := range c.Hosts {
		add(c.Hosts[i].Via)
	}
	return all
}
