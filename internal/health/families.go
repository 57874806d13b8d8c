package health

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"muster/internal/report"
)

// family is a metric of the page of hosts.
type family struct {
	name    string // without _total
	unit    string // as it ends the name; empty: none
	counter bool
	help    string
}

// sample returns the name of its samples.
func (f *family) sample() string {
	if f.counter {
		return f.name + "_total"
	}
	return f.name
}

// place is where a statistic of the catalogue is found on the page of hosts.
type place struct {
	statistic string
	family    int    // index in layout.families
	labels    string // that tell it from others of the family, rendered: ,system_memory_state="used"
	instance  string // the name of the label that holds the instance; empty: it has none
	divisor   float64
}

// layout is the page of hosts: its families in their order, and where the catalogue's statistics go.
type layout struct {
	families []family
	places   []place        // by family
	index    map[string]int // of places, by statistic
}

// theLayout returns the layout. The first call makes it; from then on it is only read.
var theLayout = sync.OnceValue(func() *layout {
	l := &layout{index: make(map[string]int)}
	known := make(map[string]int)
	for _, d := range report.Catalogue() {
		if d.Name == "visit.failed" {
			continue // muster_host_up says it
		}
		f, p := translate(d)
		i, ok := known[f.name]
		if !ok {
			i = len(l.families)
			known[f.name] = i
			l.families = append(l.families, f)
		} else {
			l.families[i].help += "; " + f.help
		}
		p.family = i
		l.places = append(l.places, p)
	}
	slices.SortStableFunc(l.places, func(a, b place) int { return cmp.Compare(a.family, b.family) })
	for i := range l.places {
		l.index[l.places[i].statistic] = i
	}
	return l
})

// translate returns the family and place of a statistic. Names are made as OpenTelemetry's "Prometheus and OpenMetrics
// Compatibility" has it: dots become underscores, the unit is spelt out, shares are from 0 to 1 and end in _ratio.
func translate(d report.Definition) (family, place) {
	name := d.OTel
	if name == "" || isWhole(d.Name) {
		name = "muster.host." + ownName(d.Name)
	}
	f := family{name: strings.ReplaceAll(name, ".", "_"), counter: d.Kind == report.Counter}
	f.help = d.Name + ": " + d.Description
	p := place{statistic: d.Name, labels: attribute(d.Name), instance: instanceLabel(d.Instance), divisor: 1}
	switch d.Unit {
	case "B":
		f.unit = "bytes"
	case "s":
		f.unit = "seconds"
	case "Cel":
		f.unit = "celsius"
	case "%":
		f.unit, p.divisor = "ratio", 100
	}
	if f.unit != "" {
		f.name += "_" + f.unit
	}
	return f, p
}

// ownName returns the name of a statistic that OpenTelemetry does not have. The last words count and total mean another
// thing in Prometheus; OpenTelemetry says limit for what can't be exceeded.
func ownName(statistic string) string {
	if base, ok := strings.CutSuffix(statistic, ".total"); ok {
		return base + ".limit"
	}
	return strings.TrimSuffix(statistic, ".count")
}

// isWhole says of a statistic that the others of its OpenTelemetry name are parts of it. It keeps Muster's own name, so
// that a sum over a family never counts the same thing twice.
func isWhole(statistic string) bool {
	return statistic == "cpu.usage" || statistic == "processes.count"
}

// attribute returns the attribute of OpenTelemetry that tells a statistic from others of its name, as a label.
func attribute(statistic string) string {
	switch statistic {
	case "memory.usage", "memory.used":
		return `,system_memory_state="used"`
	case "memory.cached":
		return `,system_memory_state="cached"`
	case "swap.usage", "swap.used":
		return `,system_paging_state="used"`
	case "processes.running":
		return `,process_state="running"`
	case "processes.blocked":
		return `,process_state="blocked"`
	case "disk.usage", "disk.used":
		return `,system_filesystem_state="used"`
	case "disk.free":
		return `,system_filesystem_state="free"`
	case "disk.read", "disk.reads":
		return `,disk_io_direction="read"`
	case "disk.written", "disk.writes":
		return `,disk_io_direction="write"`
	case "network.received", "network.packets.received", "network.errors.received", "network.dropped.received":
		return `,network_io_direction="receive"`
	case "network.sent", "network.packets.sent", "network.errors.sent", "network.dropped.sent":
		return `,network_io_direction="transmit"`
	}
	return ""
}

// instanceLabel returns the attribute of OpenTelemetry that an instance is.
func instanceLabel(instance string) string {
	switch instance {
	case "mode":
		return "cpu_mode"
	case "mount":
		return "system_filesystem_mountpoint"
	case "device":
		return "system_device"
	case "interface":
		return "network_interface_name"
	case "sensor":
		return "hw_id"
	}
	return instance
}
