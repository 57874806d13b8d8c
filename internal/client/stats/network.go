package stats

import (
	"context"
	"fmt"
	"strings"

	"github.com/shirou/gopsutil/v4/net"

	"muster/internal/report"
)

// readNetwork gives the traffic of every interface but the loopback, whose traffic is the machine talking to itself.
func readNetwork(ctx context.Context) ([]report.Statistic, error) {
	interfaces, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		err = fmt.Errorf("network interfaces: %w", err)
	}
	return networkStatistics(interfaces), err
}

func networkStatistics(interfaces []net.IOCountersStat) []report.Statistic {
	all := make([]report.Statistic, 0, 8*len(interfaces))
	for _, i := range interfaces {
		name := strings.TrimSuffix(i.Name, "*") // netstat on FreeBSD marks so what is down
		if name == "" || isLoopback(name) {
			continue
		}
		all = append(all,
			counter("network.received", name, "B", float64(i.BytesRecv)),
			counter("network.sent", name, "B", float64(i.BytesSent)),
			counter("network.packets.received", name, "1", float64(i.PacketsRecv)),
			counter("network.packets.sent", name, "1", float64(i.PacketsSent)),
			counter("network.errors.received", name, "1", float64(i.Errin)),
			counter("network.errors.sent", name, "1", float64(i.Errout)),
			counter("network.dropped.received", name, "1", float64(i.Dropin)),
			counter("network.dropped.sent", name, "1", float64(i.Dropout)),
		)
	}
	return all
}

// isLoopback knows lo on Linux, lo0 and its like on macOS and FreeBSD, and the Windows name. The flags of the interface
// would say it too, for a system call more.
func isLoopback(name string) bool {
	number, unix := strings.CutPrefix(name, "lo")
	return unix && strings.Trim(number, "0123456789") == "" || strings.HasPrefix(name, "Loopback Pseudo-Interface")
}
