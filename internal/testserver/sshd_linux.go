package testserver

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// setUp makes the namespaces in which the accounts are those in the folder $1, and runs the rest of its arguments there.
// A process namespace wants a /proc of its own, and sshd as root wants /run/sshd. Where there is a script setup in the folder,
// all of /etc is a copy, and /usr/local and /home are empty, for the script to change.
const setUp = `set -e
folder=$1; shift
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
if [ ! -e "$folder/setup" ]; then
	for file in passwd group shadow; do
		mount --bind "$folder/$file" "/etc/$file"
	done
	exec "$@"
fi
rm -rf "$folder/machine"
mkdir -m 755 "$folder/machine"
for own in /etc /usr/local /home; do
	mkdir -p -m 755 "$folder/machine$own"
done
cp -a /etc/. "$folder/machine/etc"
cp "$folder/passwd" "$folder/group" "$folder/shadow" "$folder/machine/etc"
for own in /etc /usr/local /home; do
	mount --bind "$folder/machine$own" $own
done
cd "$folder"
/bin/sh -e "$folder/setup" >&2
exec "$@"
`

// canIsolate tells whether isolate works here: as root, and not in a container that must not mount.
func canIsolate() bool {
	if os.Getuid() != 0 {
		return false
	}
	trial := exec.Command("/bin/sh", "-c", "mount --make-rprivate / && mount -t proc proc /proc")
	trial.SysProcAttr = namespaces()
	runtime.LockOSThread() // with which it would die
	defer runtime.UnlockOSThread()
	return trial.Run() == nil
}

// isolate returns a command that runs in namespaces of its own. Killing it kills all that runs there, and it dies with
// this process, or the thread of it that starts the command.
func isolate(folder, program string, args ...string) *exec.Cmd {
	command := exec.Command("/bin/sh", append([]string{"-c", setUp, "sh", folder, program}, args...)...)
	command.SysProcAttr = namespaces()
	return command
}

func namespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
}
