package stats

// Sources returns the sources that exist on Windows, in the order they are reported. Windows has no load average, and
// counts no sessions in a way that gopsutil reads.
func Sources() []Source {
	return []Source{
		{"cpu", readCPU},
		{"memory", readMemory},
		{"swap", readSwap},
		{"uptime", readUptime},
		{"disk", readDisks},
		{"diskio", readDiskIO},
		{"network", readNetwork},
		{"processes", readProcesses},
		{"temperature", readTemperatures},
	}
}
