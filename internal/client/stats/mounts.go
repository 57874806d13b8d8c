package stats

import (
	"slices"
	"strings"
)

// chosen returns the mounts whose fill is worth a report, in the order they were mounted: each file system once, where
// it is best known.
//
// Left out are what keeps no data (proc, cgroup …), images that are always full (squashfs of a snap, a CD), memory disks
// but those where users' and programs' data goes, layers of containers, and mounts of a file system that is there
// already: a bind mount, or the same device again. A type that nobody here has heard of is kept: a file system that is
// reported for nothing is better than one that fills up unseen.
func chosen(all []mount) []mount {
	visible := uppermost(all)
	best := make(map[string]mount, len(visible))
	for _, m := range visible {
		other, known := best[m.key()]
		if keepsData(m) && (!known || better(m, other)) {
			best[m.key()] = m
		}
	}
	return slices.DeleteFunc(visible, func(m mount) bool {
		subvolume := m.Type == "btrfs" && !m.Bind // one of several that share a device, known by its own mount point
		return !keepsData(m) || best[m.key()] != m && !subvolume
	})
}

// uppermost drops the mounts that another one covers, mounted later on the same point: only the last one can be asked.
func uppermost(all []mount) []mount {
	last := make(map[string]int, len(all))
	for i, m := range all {
		last[m.Point] = i
	}
	var visible []mount
	for i, m := range all {
		if m.Point != "" && last[m.Point] == i {
			visible = append(visible, m)
		}
	}
	return visible
}

// key is equal for mounts of one file system. Memory disks and layered file systems are each their own, though they all
// name the same device.
func (m mount) key() string {
	if m.Type == "tmpfs" || m.Type == "overlay" {
		return m.Type + " " + m.Device + " " + m.Point
	}
	return m.Type + " " + m.Device
}

// better says whether a file system is better known by its mount a than by its mount b.
func better(a, b mount) bool {
	if a.Bind != b.Bind {
		return b.Bind
	}
	return len(a.Point) < len(b.Point)
}

// keepsData says whether what is mounted can fill up with someone's data.
func keepsData(m mount) bool {
	if m.Point == "/" {
		return m.Type != "rootfs" // which lies under the real root
	}
	switch m.Type {
	case "tmpfs":
		return slices.Contains([]string{"/tmp", "/var/tmp", "/dev/shm", "/run"}, m.Point)
	case "overlay", "aufs", "unionfs":
		return false // a layer of a container: its data is counted where the container's host keeps it
	case "apfs":
		// macOS spreads its system over volumes that share their space; users' data is in this one.
		return !strings.HasPrefix(m.Point, "/System/Volumes/") || m.Point == "/System/Volumes/Data"
	}
	return !(m.Bind && isContainerFile(m.Point)) && !isPseudo(m.Type) && !isImage(m.Type)
}

// isContainerFile knows the files that container engines mount from the host's file system into each container.
func isContainerFile(point string) bool {
	switch point {
	case "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log", "/dev/console":
		return true
	}
	return false
}

// isPseudo knows the file systems of Linux, macOS and FreeBSD that show something else than stored files.
func isPseudo(fileSystem string) bool {
	switch fileSystem {
	case "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "configfs",
		"pstore", "efivarfs", "bpf", "mqueue", "hugetlbfs", "ramfs", "rootfs", "autofs", "binfmt_misc", "fusectl",
		"nsfs", "pipefs", "sockfs", "selinuxfs", "smackfs", "rpc_pipefs", "nfsd", "usbfs", "resctrl", "none",
		"fuse.lxcfs", "fuse.gvfsd-fuse", "fuse.portal", "fuse.archivemount", // Linux
		"devfs", "procfs", "fdescfs", "linprocfs", "linsysfs", "mqueuefs", "nullfs": // macOS, FreeBSD
		return true
	}
	return false
}

// isImage knows the file systems that are written once: they are full from the first day, and that is no news.
func isImage(fileSystem string) bool {
	switch fileSystem {
	case "squashfs", "fuse.snapfuse", "fuse.squashfuse", "iso9660", "udf", "cramfs", "romfs", "erofs", // Linux
		"cd9660", "cddafs", // macOS, FreeBSD
		"CDFS", "UDF": // Windows
		return true
	}
	return false
}
