package sshtest

import (
	"context"
	"encoding/binary"
	"io"

	"golang.org/x/crypto/ssh"
)

const packetWrite = 6 // SSH_FXP_WRITE

// WithoutWriting serves files as ServeFiles does, but for what is in them: every write fails (SSH_FX_FAILURE), and nothing is
// said of why. So does OpenSSH's server where a quota is used up.
func WithoutWriting(ctx context.Context, s *Session) Exit {
	refusing := *s
	refusing.Channel = &unwritable{Channel: s.Channel}
	return ServeFiles(ctx, &refusing)
}

// unwritable stands before an SFTP server and has each write be one to a file that is not open.
type unwritable struct {
	ssh.Channel
	ready []byte // to be read next
}

func (u *unwritable) Read(p []byte) (int, error) {
	if len(u.ready) == 0 {
		if err := u.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.ready)
	u.ready = u.ready[n:]
	return n, nil
}

// next reads a packet, and spoils the handle of one that writes.
func (u *unwritable) next() error {
	const largest = 1 << 20
	var length [4]byte
	if _, err := io.ReadFull(u.Channel, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > largest {
		return io.ErrUnexpectedEOF
	}
	packet := make([]byte, 4+n)
	copy(packet, length[:])
	if _, err := io.ReadFull(u.Channel, packet[4:]); err != nil {
		return err
	}
	const handle = 4 + 1 + 4 + 4 // after its length, the request's number, the type and the packet's length
	if len(packet) > handle && packet[4] == packetWrite {
		packet[handle] ^= 0x40
	}
	u.ready = packet
	return nil
}
