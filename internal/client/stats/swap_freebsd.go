package stats

import "golang.org/x/sys/unix"

// hasSwap says whether there is a swap device: where there is none gopsutil returns an error that nothing tells from
// others but its text.
func hasSwap() bool {
	devices, err := unix.SysctlUint32("vm.nswapdev")
	return err != nil || devices > 0
}
