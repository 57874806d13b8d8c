package stats

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"
)

// The layout of struct devstat of FreeBSD's sys/devicestat.h on amd64 and arm64, in bytes.
const (
	devstatSize       = 288
	devstatHead       = 8  // the sysctl begins with its generation number
	devstatName       = 44 // device_name[16]
	devstatUnit       = 60 // unit_number, int32
	devstatBytes      = 64 // bytes[4], uint64: none, read, write, free
	devstatOperations = 96 // operations[4], uint64
	devstatBusy       = 192
	devstatNameSize   = 16
)

// parseDevstat returns the disks in the value of FreeBSD's sysctl kern.devstat.all: a generation number and an array of
// struct devstat. Devices without a name are gone; pass(4) and cd(4) devices are not disks. An incomplete last record is
// left out.
func parseDevstat(raw []byte) []disk.IOCountersStat {
	var all []disk.IOCountersStat
	for raw = raw[min(devstatHead, len(raw)):]; len(raw) >= devstatSize; raw = raw[devstatSize:] {
		number := func(at int) uint64 { return binary.LittleEndian.Uint64(raw[at:]) }
		name, _, _ := bytes.Cut(raw[devstatName:devstatName+devstatNameSize], []byte{0})
		if len(name) == 0 || strings.HasPrefix(string(name), "pass") || string(name) == "cd" {
			continue
		}
		unit := int32(binary.LittleEndian.Uint32(raw[devstatUnit:]))
		all = append(all, disk.IOCountersStat{
			Name:       string(name) + strconv.Itoa(int(unit)),
			ReadBytes:  number(devstatBytes + 8),
			WriteBytes: number(devstatBytes + 16),
			ReadCount:  number(devstatOperations + 8),
			WriteCount: number(devstatOperations + 16),
			// struct bintime: seconds, and 2^-64ths of one
			IoTime: number(devstatBusy)*1000 + number(devstatBusy+8)>>32*1000>>32,
		})
	}
	return all
}
