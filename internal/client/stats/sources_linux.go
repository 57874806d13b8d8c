package stats

// Sources returns the sources that exist on Linux, in the order they are reported.
func Sources() []Source {
	return []Source{
		{"cpu", readCPU},
		{"memory", readMemory},
		{"swap", readSwap},
		{"uptime", readUptime},
		{"load", readLoad},
		{"disk", readDisks},
		{"diskio", readDiskIO},
		{"network", readNetwork},
		{"processes", readProcesses},
		{"users", readUsers},
		{"temperature", readTemperatures},
	}
}
