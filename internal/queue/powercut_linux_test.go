package queue_test

import (
	"errors"
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
		u.hear(300+361*cut, false)
		disk.cut(t)
		// The kernel says of a sync that the cut has overtaken that it was successful, now and then. After a real cut nobody
		// would be there to hear that.
		u.kill(true)
		disk.mountAgain(t)
		b.balance(t, folder)
	}
	b.wantStory(t)
}

// disk is a file system of its own, in a file.
type disk struct{ image, device, point string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{image: filepath.Join(t.TempDir(), "image"), point: t.TempDir()}
	f, err := os.Create(d.image)
	if err == nil {
		err = f.Truncate(1 << 30)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, testserver.Need(t, "mkfs.ext4", "e2fsprogs"), "-q", "-F", d.image)
	d.mount(t)
	t.Cleanup(func() { d.unmount(t) })
	return d
}

// mount mounts the image by a device that nobody has used: one whose file system was shut down stays so as long as anybody
// holds it, and a process with mounts of its own may.
func (d *disk) mount(t *testing.T) {
	t.Helper()
	output, err := exec.Command("losetup", "--find", "--show", d.image).CombinedOutput()
	if err != nil {
		t.Skipf("there is no loop device here, though the test runs as root: %v: %s", err, output)
	}
	d.device = strings.TrimSpace(string(output))
	err = unix.Mount(d.device, d.point, "ext4", 0, "")
	if err != nil {
		run(t, "losetup", "--detach", d.device)
	}
	mountable(t, err)
}

func (d *disk) unmount(t *testing.T) {
	t.Helper()
	if err := unix.Unmount(d.point, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		t.Errorf("unmount %s: %v", d.point, err)
	}
	run(t, "losetup", "--detach", d.device)
}

// mountAgain mounts the disk as after a cut.
func (d *disk) mountAgain(t *testing.T) {
	t.Helper()
	d.unmount(t)
	d.mount(t)
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
