package report

// Platforms that statistics exist on.
const (
	everywhere = "linux windows darwin freebsd"
	unix       = "linux darwin freebsd"
)

func processors() []Definition {
	return []Definition{
		{Name: "cpu.usage", Unit: "%", Kind: Gauge, Source: "server", Platforms: everywhere,
			OTel: "system.cpu.utilization",
			Description: "share of CPU time that was not idle, over all CPUs, since the visit before; " +
				"waiting for a device is idle"},
		{Name: "cpu.share", Unit: "%", Kind: Gauge, Instance: "mode", Source: "server", Platforms: everywhere,
			OTel:        "system.cpu.utilization",
			Description: "share of CPU time by mode, over all CPUs, since the visit before"},
		{Name: "cpu.time", Unit: "s", Kind: Counter, Instance: "mode", Source: "cpu", Platforms: everywhere,
			OTel: "system.cpu.time",
			Description: "CPU time by mode (user, system, idle, nice, iowait, irq, softirq, steal), " +
				"over all CPUs, since boot; the modes add up to all the time there was"},
		{Name: "cpu.count", Unit: "1", Kind: Gauge, Source: "cpu", Platforms: everywhere,
			OTel: "system.cpu.logical.count", Description: "logical CPUs"},

		{Name: "load.1", Unit: "1", Kind: Gauge, Source: "load", Platforms: unix,
			Description: "load average over one minute"},
		{Name: "load.5", Unit: "1", Kind: Gauge, Source: "load", Platforms: unix,
			Description: "load average over five minutes"},
		{Name: "load.15", Unit: "1", Kind: Gauge, Source: "load", Platforms: unix,
			Description: "load average over fifteen minutes"},
	}
}

func memory() []Definition {
	return []Definition{
		{Name: "memory.usage", Unit: "%", Kind: Gauge, Source: "memory", Platforms: everywhere,
			OTel: "system.memory.utilization", Description: "share of memory that is not available to programs"},
		{Name: "memory.total", Unit: "B", Kind: Gauge, Source: "memory", Platforms: everywhere,
			OTel: "system.memory.limit", Description: "memory that the operating system can use"},
		{Name: "memory.used", Unit: "B", Kind: Gauge, Source: "memory", Platforms: everywhere,
			OTel: "system.memory.usage", Description: "memory that is not available to programs: total less available"},
		{Name: "memory.available", Unit: "B", Kind: Gauge, Source: "memory", Platforms: everywhere,
			OTel: "system.memory.linux.available", Description: "memory that programs can have without swapping"},
		{Name: "memory.cached", Unit: "B", Kind: Gauge, Source: "memory", Platforms: "linux",
			OTel: "system.memory.usage", Description: "memory that caches files"},

		{Name: "swap.usage", Unit: "%", Kind: Gauge, Source: "swap", Platforms: everywhere,
			OTel: "system.paging.utilization", Description: "share of swap space in use; absent where there is none"},
		{Name: "swap.total", Unit: "B", Kind: Gauge, Source: "swap", Platforms: everywhere,
			Description: "swap space"},
		{Name: "swap.used", Unit: "B", Kind: Gauge, Source: "swap", Platforms: everywhere,
			OTel: "system.paging.usage", Description: "swap space in use"},
		{Name: "swap.in", Unit: "B", Kind: Counter, Source: "swap", Platforms: "linux",
			Description: "read back from swap since boot"},
		{Name: "swap.out", Unit: "B", Kind: Counter, Source: "swap", Platforms: "linux",
			Description: "written to swap since boot"},
	}
}

func system() []Definition {
	return []Definition{
		{Name: Uptime, Unit: "s", Kind: Gauge, Source: "uptime", Platforms: everywhere,
			OTel: "system.uptime", Description: "time since boot"},

		{Name: "processes.count", Unit: "1", Kind: Gauge, Source: "processes", Platforms: everywhere,
			OTel: "system.process.count", Description: "processes"},
		{Name: "processes.running", Unit: "1", Kind: Gauge, Source: "processes", Platforms: "linux freebsd",
			OTel: "system.process.count", Description: "processes that run or could run"},
		{Name: "processes.blocked", Unit: "1", Kind: Gauge, Source: "processes", Platforms: "linux freebsd",
			OTel: "system.process.count", Description: "processes that wait for a device"},

		{Name: "users.count", Unit: "1", Kind: Gauge, Source: "users", Platforms: unix,
			Description: "sessions of logged-in users"},

		{Name: "temperature", Unit: "Cel", Kind: Gauge, Instance: "sensor",
			Source: "temperature", Platforms: everywhere,
			OTel: "hw.temperature", Description: "temperature; absent where no sensor can be read"},

		{Name: VisitFailed, Unit: "1", Kind: Gauge, Source: "server", Platforms: everywhere,
			Description: "1 where the visit failed, 0 where it did not; every host has the limit above=\"0\" " +
				"on it unless the configuration says otherwise"},
	}
}

// logs are what the server says of the logs that it reads on a host.
func logs() []Definition {
	return []Definition{
		{Name: LogsRecords, Unit: "1", Kind: Gauge, Instance: "channel", Source: "server", Platforms: everywhere,
			Description: "log records that the visit brought home"},
		{Name: LogsGaps, Unit: "1", Kind: Gauge, Instance: "channel", Source: "server", Platforms: everywhere,
			Description: "places that the visit found where records were gone before they were read; every host with the " +
				"channel has the limit above=\"0\" on it unless the configuration says otherwise"},
		{Name: LogsFailed, Unit: "1", Kind: Gauge, Instance: "channel", Source: "server", Platforms: everywhere,
			Description: "1 where the channel could not be read, or not to its end, 0 where it could; every host with the " +
				"channel has the limit above=\"0\" on it unless the configuration says otherwise"},
	}
}

func fileSystems() []Definition {
	return []Definition{
		{Name: "disk.usage", Unit: "%", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: everywhere,
			OTel:        "system.filesystem.utilization",
			Description: "share of the space open to users that is in use, as df shows it"},
		{Name: "disk.total", Unit: "B", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: everywhere,
			OTel: "system.filesystem.limit", Description: "size of the file system"},
		{Name: "disk.used", Unit: "B", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: everywhere,
			OTel: "system.filesystem.usage", Description: "space in use"},
		{Name: "disk.free", Unit: "B", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: everywhere,
			OTel: "system.filesystem.usage",
			Description: "space that users can still write to; with what is in use it may be less than " +
				"the size, since some is reserved"},
		{Name: "disk.inodes.usage", Unit: "%", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: unix,
			Description: "share of inodes in use; absent where the file system does not count them"},
		{Name: "disk.inodes.total", Unit: "1", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: unix,
			Description: "inodes"},
		{Name: "disk.inodes.used", Unit: "1", Kind: Gauge, Instance: "mount", Source: "disk", Platforms: unix,
			Description: "inodes in use"},
	}
}

func devices() []Definition {
	return []Definition{
		{Name: "disk.read", Unit: "B", Kind: Counter, Instance: "device", Source: "diskio", Platforms: everywhere,
			OTel: "system.disk.io", Description: "read since boot"},
		{Name: "disk.written", Unit: "B", Kind: Counter, Instance: "device", Source: "diskio", Platforms: everywhere,
			OTel: "system.disk.io", Description: "written since boot"},
		{Name: "disk.reads", Unit: "1", Kind: Counter, Instance: "device", Source: "diskio", Platforms: everywhere,
			OTel: "system.disk.operations", Description: "read operations since boot"},
		{Name: "disk.writes", Unit: "1", Kind: Counter, Instance: "device", Source: "diskio", Platforms: everywhere,
			OTel: "system.disk.operations", Description: "write operations since boot"},
		{Name: "disk.busy", Unit: "s", Kind: Counter, Instance: "device", Source: "diskio", Platforms: "linux freebsd",
			OTel: "system.disk.io_time", Description: "time during which operations were under way, since boot"},
	}
}

func network() []Definition {
	return []Definition{
		{Name: "network.received", Unit: "B", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.io", Description: "received since boot"},
		{Name: "network.sent", Unit: "B", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.io", Description: "sent since boot"},
		{Name: "network.packets.received", Unit: "1", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.packet.count", Description: "packets received since boot"},
		{Name: "network.packets.sent", Unit: "1", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.packet.count", Description: "packets sent since boot"},
		{Name: "network.errors.received", Unit: "1", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.errors", Description: "receive errors since boot"},
		{Name: "network.errors.sent", Unit: "1", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.errors", Description: "send errors since boot"},
		{Name: "network.dropped.received", Unit: "1", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.packet.dropped", Description: "packets dropped on receipt since boot"},
		{Name: "network.dropped.sent", Unit: "1", Kind: Counter, Instance: "interface",
			Source: "network", Platforms: everywhere,
			OTel: "system.network.packet.dropped", Description: "packets dropped on sending since boot"},
	}
}
