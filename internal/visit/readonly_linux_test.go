package visit_test

import (
	"os"
	"path/filepath"
	"testing"

	"muster/internal/testserver"
	"muster/internal/visit"
)

// readOnly has a host on which nothing can be written, by nobody, but below the paths that were mounted by themselves.
const readOnly = `for mount in $(awk '{print $2}' /proc/self/mounts); do
	case $mount in
	/proc* | */home/.cache/muster) ;;
	*) mount -o remount,bind,ro "$mount" ;;
	esac
done
if touch /tmp/x home/x /var/tmp/x /dev/shm/x /run/x 2>/dev/null; then exit 1; fi
`

// An uploaded client gets along where its own folder alone can be written to.
func TestTheClientWritesInItsFolderAlone(t *testing.T) {
	t.Parallel()
	const itsFolder = `mkdir -p home/.cache/muster
chown -R monitor home/.cache
mount --bind home/.cache/muster home/.cache/muster
`
	for _, transfer := range []visit.Transfer{visit.Stdout, visit.File} {
		s := testserver.SSHD(t, testserver.SSHDOptions{Setup: itsFolder + readOnly})
		host := sshdHost(t, s)
		host.Transfer = transfer
		checkReal(t, host)
		left, err := os.ReadDir(filepath.Join(s.Home, ".cache/muster"))
		if err != nil || len(left) != 1 {
			t.Errorf("the client's folder holds %v, %v", left, err)
		}
	}
}

// An installed client gets along where nothing can be written to, as its user and as root.
func TestAnInstalledClientWritesNothing(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "sudo", "sudo")
	s := testserver.SSHD(t, testserver.SSHDOptions{NoSFTP: true, Setup: installed(t, mayRunAsRoot, readOnly)})
	host := standingHost(t, s)
	wantStanding(t, host)
	host.Sudo = true
	wantStanding(t, host)
}
