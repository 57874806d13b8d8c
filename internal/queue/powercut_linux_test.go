package queue_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"muster/internal/testserver"
)

// Shutting a file system down without writing anything more is what a power cut is to the programs on it
// (include/uapi/linux/ext4.h and fs.h: EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH).
const (
	ioctlShutdown = 0x8004587d
	noLogFlush    = 2
)

func TestWhatIsAcknowledgedSurvivesAPowerCut(t *testing.T) {
	testserver.NeedRoot(t, "mounting a file system")
	disk := newDisk(t)
	folder := filepath.Join(disk.point, "queue")
	b := newBooks()
	for cut := range 4 {
		u := startUser(t, folder, b)
		u.hear(300 + 361*cut)
		disk.cut(t)
		u.discard() // what it says from here on is said by a machine without power
		disk.mountAgain(t)
		b.balance(t, folder)
	}
}

// disk is a file system of its own, in a file.
type disk struct{ device, point string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(1 << 30)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, testserver.Need(t, "mkfs.ext4", "e2fsprogs"), "-q", "-F", image)
	output, err := exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		t.Skipf("there is no loop device here, though the test runs as root: %v: %s", err, output)
	}
	d := &disk{device: strings.TrimSpace(string(output)), point: t.TempDir()}
	t.Cleanup(func() { run(t, "losetup", "--detach", d.device) })
	mountable(t, unix.Mount(d.device, d.point, "ext4", 0, ""))
	t.Cleanup(func() { run(t, "umount", d.point) })
	return d
}

// mountAgain mounts the disk as after a cut.
func (d *disk) mountAgain(t *testing.T) {
	t.Helper()
	run(t, "umount", d.point)
	run(t, "mount", d.device, d.point)
}

// cut shuts the file system down: nothing that is not on disk yet gets there.
func (d *disk) cut(t *testing.T) {
	t.Helper()
	f, err := os.Open(d.point)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags := uint32(noLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ioctlShutdown, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		t.Fatalf("shut the file system down: %v", errno)
	}
}

// run runs a program and returns what it prints.
func run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, arguments, err, output)
	}
	return strings.TrimSpace(string(output))
}
