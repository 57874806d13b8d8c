package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/highwayhash"
)

// The files in which JetStream keeps what a stream is: its configuration, the checksum of that, and its messages. See
// server/filestore.go of nats-server, which writes them in this order: a stream's folders, its key and an empty block; then, when
// it is made or changed, the configuration, and the checksum after that.
const (
	storeFolder   = "jetstream" // with a folder for each account
	streamsFolder = storeFolder + "/$G/streams"
	metaFile      = "meta.inf"
	sumFile       = "meta.sum"
	keySuffix     = ".key" // of a stream, and of each block of its messages: made before there is anything to encrypt
	blocksFolder  = "msgs"
	blockSuffix   = ".blk"
	partSuffix    = ".tmp" // of a file that is renamed when it is whole
	trialPrefix   = "_test_"
)

// mend finishes what a killed process, or a full disk, has left half done when JetStream made or changed a stream: a stream
// whose checksum is not that of its configuration JetStream does not read, and so Muster would not start any more. It is called
// while JetStream does not run.
//
// The checksum can be made anew since nothing depends on it: the configuration is encrypted and authenticated, so one that is
// damaged is not read whatever its checksum says. A stream that has no configuration yet was never used: it is removed, unless
// something says that it was all the same, which is for people to look at.
func mend(folder string, log *slog.Logger) error {
	if err := removeTrials(filepath.Join(folder, storeFolder)); err != nil {
		return err
	}
	streams, err := streamsIn(folder)
	if err != nil {
		return err
	}
	for _, stream := range streams {
		if err := mendStream(stream, log.With("stream", filepath.Base(stream))); err != nil {
			return err
		}
	}
	return nil
}

// streamsIn returns the folders of the streams in the queue's folder, but for those that JetStream was deleting.
func streamsIn(folder string) (streams []string, err error) {
	folder = filepath.Join(folder, filepath.FromSlash(streamsFolder))
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			streams = append(streams, filepath.Join(folder, e.Name()))
		}
	}
	return streams, nil
}

func mendStream(folder string, log *slog.Logger) error {
	if err := removeKeyless(filepath.Join(folder, blocksFolder), log); err != nil {
		return err
	}
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

// removeTrials removes the empty files that JetStream makes at each start to see whether it can write, and removes at once. One
// that is left it takes for an account that it does not know.
func removeTrials(store string) error {
	entries, err := os.ReadDir(store)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), trialPrefix) {
			continue
		}
		info, err := e.Info()
		if err == nil && info.Size() == 0 {
			err = os.Remove(filepath.Join(store, e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeKeyless removes blocks of messages that were begun, and nothing was written to. JetStream makes a block's file and then
// its key. It takes a block without a key for damage, and deletes the whole stream.
func removeKeyless(blocks string, log *slog.Logger) error {
	entries, err := os.ReadDir(blocks)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		number, isBlock := strings.CutSuffix(e.Name(), blockSuffix)
		if !isBlock {
			continue
		}
		if _, err := os.Stat(filepath.Join(blocks, number+keySuffix)); !errors.Is(err, fs.ErrNotExist) {
			continue // what can't be opened vet finds
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		file := filepath.Join(blocks, e.Name())
		if info.Size() > 0 {
			return fmt.Errorf("%s has no key, without which nobody can read it: put %s back, or move the queue's folder away and lose "+
				"what is in it", file, number+keySuffix)
		}
		log.Warn("the queue's folder was left while a block of messages was begun: it is begun anew", "file", e.Name())
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// removeUnused removes a stream that was being made for the first time, of which nobody was told that it is there.
func removeUnused(folder string, log *slog.Logger) error {
	used, err := isUsed(folder)
	if err != nil || used {
		return err // of one that is used JetStream says that it can't be read
	}
	log.Warn("the queue's folder was left while a stream of it was being made: it is made anew")
	return os.RemoveAll(folder)
}

// isUsed tells whether a stream's folder holds anything that is not there before its configuration is: messages, what is known
// of those that were deleted, or a checksum.
func isUsed(folder string) (used bool, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(e.Name(), keySuffix) || strings.HasSuffix(e.Name(), partSuffix) {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > 0 {
			used, err = true, fs.SkipAll
		}
		return err
	})
	return used, err
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
