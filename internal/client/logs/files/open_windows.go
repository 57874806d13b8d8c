package files

import (
	"os"
	"strconv"
	"syscall"
)

// openShared opens a file for reading so that others can rename and delete it meanwhile, which os.Open forbids them.
func openShared(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	const share = syscall.FILE_SHARE_READ | syscall.FILE_SHARE_WRITE | syscall.FILE_SHARE_DELETE
	handle, err := syscall.CreateFile(
		name, syscall.GENERIC_READ, share, nil, syscall.OPEN_EXISTING, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}

// identify returns what tells a file from all others that are there at the same time: its volume and its index there.
// It can be another's later.
func identify(path string, _ os.FileInfo) (string, error) {
	f, err := openShared(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	id, _, err := identifyOpen(f)
	return id, err
}

// identifyOpen is identify for a file that is open.
func identifyOpen(f *os.File) (string, os.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	var own syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &own); err != nil {
		return unknownFile, info, nil //nolint:nilerr // file systems without an index: the content must do
	}
	index := uint64(own.FileIndexHigh)<<32 | uint64(own.FileIndexLow)
	return strconv.FormatUint(uint64(own.VolumeSerialNumber), 16) + ":" + strconv.FormatUint(index, 16), info, nil
}
