package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/highwayhash"
)

// The files in which JetStream keeps what a stream is: its configuration, the checksum of that, and its messages. See
// server/filestore.go of nats-server, which writes them in this order: a stream's folders, then, when it is made or changed,
// the configuration, and the checksum after that.
const (
	streamsFolder = "jetstream/$G/streams"
	metaFile      = "meta.inf"
	sumFile       = "meta.sum"
	blocks        = "msgs/*.blk"
)

// mend finishes what a killed process, or a full disk, has left half done when JetStream made or changed a stream: a stream
// whose checksum is not that of its configuration JetStream does not read, and so Muster would not start any more. It is called
// while JetStream does not run.
//
// The checksum can be made anew since nothing depends on it: the configuration is encrypted and authenticated, so one that is
// damaged is not read whatever its checksum says. A stream that has no configuration yet was never used: it is removed, unless
// there are messages in it all the same, which is for people to look at.
func mend(folder string, log *slog.Logger) error {
	streams := filepath.Join(folder, filepath.FromSlash(streamsFolder))
	entries, err := os.ReadDir(streams)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") { // which JetStream was deleting
			continue
		}
		if err := mendStream(filepath.Join(streams, e.Name()), log.With("stream", e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func mendStream(folder string, log *slog.Logger) error {
	meta, err := os.ReadFile(filepath.Join(folder, metaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return removeUnused(folder, log)
	}
	if err != nil {
		return err
	}
	known, err := os.ReadFile(filepath.Join(folder, sumFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	want, err := checksum(filepath.Base(folder), meta)
	if err != nil || bytes.Equal(known, want) {
		return err
	}
	log.Warn("the queue's folder was left while a stream of it was made or changed: its checksum is made anew")
	return writeWhole(filepath.Join(folder, sumFile), want)
}

// removeUnused removes a stream that was being made for the first time, of which nobody was told that it is there.
func removeUnused(folder string, log *slog.Logger) error {
	files, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(blocks)))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			return nil // JetStream says that it can't be read
		}
	}
	log.Warn("the queue's folder was left while a stream of it was being made: it is made anew")
	return os.RemoveAll(folder)
}

// checksum returns what JetStream writes beside the configuration of a stream: the HighwayHash of 64 bits, in hexadecimal
// digits, under the SHA-256 of the stream's name.
func checksum(stream string, meta []byte) ([]byte, error) {
	key := sha256.Sum256([]byte(stream))
	hash, err := highwayhash.New64(key[:])
	if err != nil {
		return nil, err
	}
	hash.Write(meta)
	return hex.AppendEncode(nil, hash.Sum(nil)), nil
}
