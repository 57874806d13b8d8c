package health

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The families that the page of hosts has beside those of the catalogue.
const (
	otherGauge   = "muster_host_statistic"
	otherCounter = "muster_host_cumulative"
)

// page writes the page of hosts, family by family as the formats demand, straight from what is kept.
type page struct {
	*bufio.Writer
	openMetrics bool // OpenMetrics 1.0, and not the older text format of Prometheus
	hosts       []shown
	number      []byte // scratch
}

// shown is a host on the page.
type shown struct {
	labels string
	*latest
	next int // index of the first of its values that is not written yet
}

// show returns the hosts that have something to say, in the configuration's order: those visited, and not before oldest.
func (f *fleet) show(oldest time.Time) []shown {
	t := f.table.Load()
	if t == nil {
		return nil
	}
	hosts := make([]shown, 0, len(t.hosts))
	for i := range t.hosts {
		if l := t.hosts[i].last.Load(); l != nil && !l.at.Before(oldest) {
			hosts = append(hosts, shown{labels: t.hosts[i].labels, latest: l})
		}
	}
	return hosts
}

// write writes the page. It stops early when ctx ends or the reader is gone.
func (p *page) write(ctx context.Context) error {
	p.writeVisits()
	places := theLayout()
	for f := range places.families {
		p.writeFamily(places, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	p.writeOthers(&family{name: otherGauge, help: "Statistics that Muster does not know, of other clients."})
	p.writeOthers(&family{name: otherCounter, counter: true, help: "Counters that Muster does not know, of other clients."})
	if p.openMetrics {
		p.text("# EOF\n")
	}
	return p.Flush()
}

// visitFamilies returns what the page says of the visits.
func visitFamilies() []family {
	return []family{
		{name: "muster_host_up", help: "1 where the last visit brought a report, 0 where it failed."},
		{name: "muster_host_visit_timestamp_seconds", unit: "seconds",
			help: "When the last visit ended, in Unix time: what is on this page was so then."},
		{name: "muster_host_visit_duration_seconds", unit: "seconds", help: "How long the last visit took."},
		{name: "muster_host_info", help: "1, with what the host is: operating system, architecture, version of the client."},
	}
}

func (p *page) writeVisits() {
	for i, f := range visitFamilies() {
		p.header(&f)
		for h := range p.hosts {
			host := &p.hosts[h]
			if i == 3 && !host.up {
				continue
			}
			p.begin(f.name, host.labels)
			switch i {
			case 0:
				p.end(truth(host.up))
			case 1:
				p.end(float64(host.at.UnixMilli()) / 1000)
			case 2:
				p.end(host.took.Seconds())
			case 3:
				p.label("os", host.os.Value())
				p.label("arch", host.arch.Value())
				p.label("client", host.client.Value())
				p.end(1)
			}
		}
	}
}

// writeFamily writes the family of index f, of which every host's next values are.
func (p *page) writeFamily(l *layout, f int) {
	family := &l.families[f]
	sample := family.sample()
	begun := false
	for i := range p.hosts {
		host := &p.hosts[i]
		for ; host.next < len(host.values) && l.places[host.values[host.next].place].family == f; host.next++ {
			if !begun {
				p.header(family)
				begun = true
			}
			v := &host.values[host.next]
			at := &l.places[v.place]
			p.begin(sample, host.labels)
			p.text(at.labels)
			if at.instance != "" {
				p.label(at.instance, v.instance.Value())
			}
			p.end(v.number / at.divisor)
		}
	}
}

// writeOthers writes the statistics that the catalogue does not have: the counters among them, or the others.
func (p *page) writeOthers(f *family) {
	begun := false
	for i := range p.hosts {
		for j := range p.hosts[i].others {
			o := &p.hosts[i].others[j]
			if o.counter != f.counter {
				continue
			}
			if !begun {
				p.header(f)
				begun = true
			}
			p.begin(f.sample(), p.hosts[i].labels)
			p.label("statistic", o.name.Value())
			p.label("statistic_instance", o.instance.Value())
			p.label("unit", o.unit.Value())
			p.end(o.number)
		}
	}
}

// header begins a family. In the older format a counter is called by the name of its samples, and has no unit.
func (p *page) header(f *family) {
	name, kind := f.name, "gauge"
	if f.counter {
		kind = "counter"
		if !p.openMetrics {
			name = f.sample()
		}
	}
	p.text("# HELP ")
	p.text(name)
	p.text(" ")
	if p.openMetrics {
		p.text(escape(f.help))
	} else {
		p.text(strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(f.help))
	}
	p.text("\n# TYPE ")
	p.text(name)
	p.text(" ")
	p.text(kind)
	p.text("\n")
	if p.openMetrics && f.unit != "" {
		p.text("# UNIT ")
		p.text(name)
		p.text(" ")
		p.text(f.unit)
		p.text("\n")
	}
}

// begin begins a sample, up to the labels of the host. label goes on, end ends it.
func (p *page) begin(name, labels string) {
	p.text(name)
	p.text("{")
	p.text(labels)
}

func (p *page) label(name, value string) {
	p.text(",")
	p.text(name)
	p.text(`="`)
	p.text(escape(value))
	p.text(`"`)
}

func (p *page) end(number float64) {
	p.number = append(p.number[:0], "} "...)
	p.number = strconv.AppendFloat(p.number, number, 'g', -1, 64)
	p.number = append(p.number, '\n')
	_, _ = p.Write(p.number) // bufio keeps the first error for Flush
}

// text writes a text. bufio keeps the first error for Flush.
func (p *page) text(s string) { _, _ = p.WriteString(s) }

// escape returns a text as it stands between quotation marks in both formats. What is not UTF-8 is replaced.
func escape(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = text[i] != '\\' && text[i] != '"' && text[i] != '\n' && text[i] < utf8.RuneSelf
	}
	if plain {
		return text
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(text, "\uFFFD"))
}
