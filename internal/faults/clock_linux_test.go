package faults_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// clock is the time of day that the server believes in: the machine's, and an offset. The machine's own clock is left
// alone, and that of everybody else with it.
//
// A static Go program can't be told another time by LD_PRELOAD. But it reads its clock from code that the kernel maps
// into each process (the vDSO), and a process that traces another may write there, into a copy of that process alone. So
// the server is started traced, the function there is replaced by one that asks the kernel and adds a number that stands
// behind it, and the trace ends. CLOCK_MONOTONIC stays what it is, as when a real clock is set.
type clock struct {
	code   []byte // replaces the function; empty: it can't be done here
	reason string // why not
	symbol uint64 // where the function is in the vDSO

	mu     sync.Mutex
	offset time.Duration
	memory *os.File // of the running process
	at     int64    // of the number in it
}

// newClock finds out whether the server's clock can be set here.
func newClock() *clock {
	c := &clock{}
	if runtime.GOARCH != "amd64" {
		c.reason = "the server's clock can be set on amd64 only"
		return c
	}
	base, image, err := vdso(os.Getpid())
	if err == nil {
		c.symbol, err = lookup(image, "__vdso_clock_gettime")
	}
	if err != nil || base == 0 {
		c.reason = fmt.Sprintf("the server's clock can't be set: %v", err)
		return c
	}
	c.code = []byte{
		0xb8, 0xe4, 0x00, 0x00, 0x00, // mov   eax, 228 (clock_gettime)
		0x0f, 0x05, //                   syscall
		0x85, 0xff, //                   test  edi, edi (CLOCK_REALTIME is 0)
		0x75, 0x0a, //                   jne   the end
		0x48, 0x8b, 0x0d, 4, 0, 0, 0, // mov   rcx, [rip+4]: the number behind the code
		0x48, 0x01, 0x0e, //             add   [rsi], rcx: the seconds
		0xc3, //                         ret
	}
	return c
}

// start starts a command under the clock.
func (c *clock) start(command *exec.Cmd) error {
	if len(c.code) == 0 {
		return command.Start()
	}
	// Only the thread that has started a traced process may let it go.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Ptrace = true
	if err := command.Start(); err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(command.Process.Pid, &status, 0, nil); err != nil {
		return fmt.Errorf("the server's clock: %w", err)
	}
	if !status.Stopped() {
		return fmt.Errorf("the server's clock: the process did not stop at its beginning but %#x", status)
	}
	err := c.patch(command.Process.Pid)
	if err == nil {
		err = syscall.PtraceDetach(command.Process.Pid)
	}
	if err != nil {
		_ = command.Process.Kill()
		return fmt.Errorf("the server's clock: %w", err)
	}
	return nil
}

// patch replaces the function in a process that stands still.
func (c *clock) patch(pid int) error {
	base, _, err := vdso(pid)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	code := binary.LittleEndian.AppendUint64(bytes.Clone(c.code), uint64(int64(c.offset/time.Second)))
	at := int64(base + c.symbol)
	if _, err := memory.WriteAt(code, at); err != nil {
		memory.Close()
		return err
	}
	if c.memory != nil {
		c.memory.Close()
	}
	c.memory, c.at = memory, at+int64(len(c.code))
	return nil
}

// Set moves the clock of the running server, and of those to come, to an offset from the true time in whole seconds.
func (c *clock) Set(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = offset
	if c.memory != nil {
		number := binary.LittleEndian.AppendUint64(nil, uint64(int64(offset/time.Second)))
		_, _ = c.memory.WriteAt(number, c.at) // the process may have ended: the next one gets it at its start
	}
}

// Close forgets the process.
func (c *clock) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memory != nil {
		c.memory.Close()
		c.memory = nil
	}
}

// vdso returns where the vDSO is in a process, and its bytes.
func vdso(pid int) (base uint64, image []byte, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, nil, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		var end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &base, &end); err != nil {
			return 0, nil, err
		}
		memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, nil, err
		}
		defer memory.Close()
		image = make([]byte, end-base)
		_, err = memory.ReadAt(image, int64(base))
		return base, image, err
	}
	return 0, nil, errors.New("the process has no vDSO")
}

// lookup returns a function's offset in the vDSO.
func lookup(image []byte, name string) (uint64, error) {
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == name {
			return s.Value, nil
		}
	}
	return 0, fmt.Errorf("the vDSO has no %s", name)
}
