package stats

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
)

func TestChosen(t *testing.T) {
	for name, c := range map[string]struct {
		all  []mount
		want string // the mount points that are left
	}{
		"a plain server": {[]mount{
			{"sysfs", "/sys", "sysfs", false}, {"proc", "/proc", "proc", false}, {"udev", "/dev", "devtmpfs", false},
			{"tmpfs", "/run", "tmpfs", false}, {"/dev/sda1", "/", "ext4", false}, {"tmpfs", "/run/lock", "tmpfs", false},
			{"/dev/sdb1", "/var", "xfs", false}, {"/dev/sda15", "/boot/efi", "vfat", false},
			{"tmpfs", "/run/user/1000", "tmpfs", false}, {"tmpfs", "/tmp", "tmpfs", false},
		}, "/run / /var /boot/efi /tmp"},
		"a container": {[]mount{
			{"overlay", "/", "overlay", false}, {"proc", "/proc", "proc", false}, {"tmpfs", "/dev", "tmpfs", false},
			{"shm", "/dev/shm", "tmpfs", false}, {"/dev/vda1", "/etc/resolv.conf", "ext4", true},
			{"/dev/vda1", "/etc/hostname", "ext4", true}, {"/dev/vdb1", "/data", "ext4", true},
			{"/dev/vdb1", "/data/more", "ext4", true},
		}, "/ /dev/shm /data"},
		"a host of containers": {[]mount{
			{"/dev/sda1", "/", "ext4", false}, {"overlay", "/var/lib/docker/overlay2/a/merged", "overlay", false},
			{"overlay", "/var/lib/docker/overlay2/b/merged", "overlay", false},
			{"nsfs", "/run/docker/netns/1", "nsfs", false}, {"/dev/sda1", "/srv/jail/etc", "ext4", true},
		}, "/"},
		"the bind mount first": {[]mount{
			{"/dev/sdb1", "/b", "ext4", true}, {"/dev/sdb1", "/mnt/disk", "ext4", false},
		}, "/mnt/disk"},
		"the same device again": {[]mount{
			{"/dev/sdb1", "/mnt/longer", "ext4", false}, {"/dev/sdb1", "/mnt/b", "ext4", false},
			{"/dev/sdb1", "/mnt/c", "ext4", false},
		}, "/mnt/b"},
		"one over the other": {[]mount{
			{"/dev/sda1", "/", "ext4", false}, {"auto", "/net", "autofs", false}, {"nas:/x", "/net", "nfs4", false},
			{"tmpfs", "/tmp", "tmpfs", false}, {"/dev/sdc1", "/tmp", "ext4", false},
		}, "/ /net /tmp"},
		"network and cluster file systems": {[]mount{
			{"nas:/x", "/x", "nfs", false}, {"nas:/y", "/y", "nfs4", false}, {"//win/share", "/w", "cifs", false},
			{"me@host:", "/h", "fuse.sshfs", false}, {"mon:/", "/c", "ceph", false}, {"share", "/v", "virtiofs", false},
		}, "/x /y /w /h /c /v"},
		"images are always full": {[]mount{
			{"/dev/loop0", "/snap/core/1", "squashfs", false}, {"/dev/sr0", "/media/cd", "iso9660", false},
			{"/dev/sr0", "/media/dvd", "udf", false}, {"/dev/loop1", "/apex", "erofs", false},
		}, ""},
		"a root of its own kind": {[]mount{
			{"rootfs", "/", "rootfs", false}, {"/dev/root", "/", "squashfs", false},
		}, "/"},
		"subvolumes and datasets": {[]mount{
			{"/dev/sda2", "/", "btrfs", false}, {"/dev/sda2", "/home", "btrfs", false},
			{"/dev/sda2", "/srv/bind", "btrfs", true}, {"tank", "/tank", "zfs", false}, {"tank/a", "/tank/a", "zfs", false},
		}, "/ /home /tank /tank/a"},
		"macOS": {[]mount{
			{"/dev/disk3s1s1", "/", "apfs", false}, {"devfs", "/dev", "devfs", false},
			{"/dev/disk3s6", "/System/Volumes/VM", "apfs", false}, {"/dev/disk3s5", "/System/Volumes/Data", "apfs", false},
			{"map auto_home", "/System/Volumes/Data/home", "autofs", false}, {"/dev/disk4s1", "/Volumes/USB", "apfs", false},
		}, "/ /System/Volumes/Data /Volumes/USB"},
		"FreeBSD": {[]mount{
			{"zroot/ROOT/default", "/", "zfs", false}, {"devfs", "/dev", "devfs", false}, {"fdescfs", "/dev/fd", "fdescfs", false},
			{"/usr/ports", "/jail/ports", "nullfs", false}, {"/dev/ada1p1", "/data", "ufs", false},
		}, "/ /data"},
		"Windows": {[]mount{
			{"C:", "C:", "NTFS", false}, {"D:", "D:", "CDFS", false}, {"", "", "", false}, {"E:", "E:", "ReFS", false},
		}, "C: E:"},
		"a type nobody has heard of": {[]mount{{"new", "/new", "newfs9", false}}, "/new"},
	} {
		var points []string
		for _, m := range chosen(c.all) {
			points = append(points, m.Point)
		}
		if got := strings.Join(points, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestDiskStatistics(t *testing.T) {
	m := mount{Point: "/var"}
	// 1000 in all, of which 100 are kept for root: df calls this 2/3 full.
	u := disk.UsageStat{Total: 1000, Used: 600, Free: 300, InodesTotal: 50, InodesFree: 40}
	want := map[string]float64{
		"disk.usage /var": 200.0 / 3, "disk.total /var": 1000, "disk.used /var": 600, "disk.free /var": 300,
		"disk.inodes.usage /var": 20, "disk.inodes.total /var": 50, "disk.inodes.used /var": 10,
	}
	expect(t, values(diskStatistics(m, &u)), want)

	u.InodesTotal, u.InodesFree = 0, 0 // btrfs, vfat
	for _, name := range []string{"usage", "total", "used"} {
		delete(want, "disk.inodes."+name+" /var")
	}
	expect(t, values(diskStatistics(m, &u)), want)
	expect(t, values(diskStatistics(m, &disk.UsageStat{})), nil)
}

func TestOneDeadMountCostsOneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		release := make(chan struct{})
		usage := func(_ context.Context, point string) (*disk.UsageStat, error) {
			switch point {
			case "/dead":
				<-release
			case "/stale":
				return nil, syscall.ESTALE
			case "/cursed":
				panic("no")
			}
			return &disk.UsageStat{Total: 10, Used: 1, Free: 9}, nil
		}
		began := time.Now()
		got, err := diskUsages(ctx, []mount{
			{Point: "/"}, {Point: "/dead"}, {Point: "/var"}, {Point: "/stale"}, {Point: "/cursed"}, {Point: "/home"},
		}, usage)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, which leaves no time to report", took)
		}
		close(release)

		var points []string
		for _, s := range got {
			if s.Name == "disk.usage" {
				points = append(points, s.Instance)
			}
		}
		if want := []string{"/", "/var", "/home"}; !slices.Equal(points, want) {
			t.Errorf("reported are %v, want %v", points, want)
		}
		if !errors.Is(err, syscall.ESTALE) || !errors.As(err, new(noAnswer)) {
			t.Errorf("the error is %v", err)
		}
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 3 {
			t.Fatalf("want one error a mount, got %v", err)
		}
		for i, point := range []string{"/dead: no answer within 3s", "/stale: ", "/cursed: panic: no"} {
			if text := joined.Unwrap()[i].Error(); !strings.HasPrefix(text, point) {
				t.Errorf("error %d is %q, want %q", i, text, point)
			}
		}
	})
}
