//go:build !freebsd

package stats

// hasSwap is true where gopsutil answers for machines without swap too.
func hasSwap() bool { return true }
