package testserver

import (
	"bytes"
	"encoding/binary"
)

// How a DLL of ours lies in memory and in its file.
const (
	dllSection = 0x1000 // where its one section begins in memory
	dllAlign   = 0x200  // its headers and its section take so much of the file each
)

// forwarder returns a DLL for windows/amd64 that has no code: its one export is that of another DLL, as in "kernel32.Sleep".
// The format is that of Microsoft's "PE Format", PE32+.
func forwarder(name, export, target string) []byte {
	section := exports(name, export, target)
	file := make([]byte, 2*dllAlign)
	copy(file, dllHeaders(len(section)))
	copy(file[dllAlign:], section)
	return file
}

// exports is the section of a DLL that says what it exports: the export directory table, the tables of addresses, names
// and ordinals with an entry each, and the texts. An address within the section is that of a forwarder's text.
func exports(name, export, target string) []byte {
	const addresses, names, ordinals, texts = 40, 44, 48, 52
	at := func(offset int) uint32 { return dllSection + uint32(offset) }
	afterName := texts + len(name) + 1
	afterExport := afterName + len(export) + 1
	var b bytes.Buffer
	put(&b, struct {
		Flags, Time                           uint32
		Major, Minor                          uint16
		Name, Base, Functions, Named          uint32
		AddressTable, NameTable, OrdinalTable uint32
	}{Name: at(texts), Base: 1, Functions: 1, Named: 1, AddressTable: at(addresses), NameTable: at(names), OrdinalTable: at(ordinals)})
	put(&b, at(afterExport)) // the address: the forwarder
	put(&b, at(afterName))   // the name
	put(&b, uint32(0))       // the ordinal, and two bytes to align what follows
	for _, text := range []string{name, export, target} {
		b.WriteString(text + "\x00")
	}
	return b.Bytes()
}

// dllHeaders are all headers of a DLL whose section .edata has the given size.
func dllHeaders(size int) []byte {
	const (
		dosHeader      = 64
		optionalHeader = 240
		amd64          = 0x8664
		isDLL          = 0x2022 // executable, can handle addresses beyond 2 GB, DLL
		pe32Plus       = 0x20b
		readOnlyData   = 0x40000040
	)
	var b bytes.Buffer
	dos := make([]byte, dosHeader)
	copy(dos, "MZ")
	dos[dosHeader-4] = dosHeader // where the rest begins
	b.Write(dos)
	b.WriteString("PE\x00\x00")
	put(&b, struct {
		Machine, Sections             uint16
		Time, Symbols, SymbolCount    uint32
		OptionalSize, Characteristics uint16
	}{Machine: amd64, Sections: 1, OptionalSize: optionalHeader, Characteristics: isDLL})
	put(&b, struct {
		Magic, Linker                                uint16
		Code, Data, Zeroed, Entry, CodeBase          uint32
		ImageBase                                    uint64
		SectionAlign, FileAlign                      uint32
		SystemMajor, SystemMinor, OwnMajor, OwnMinor uint16
		SubsystemMajor, SubsystemMinor               uint16
		Reserved, ImageSize, HeaderSize, Checksum    uint32
		Subsystem, DLLFlags                          uint16
		Stack, StackNow, Heap, HeapNow               uint64
		LoaderFlags, Directories                     uint32
		Export                                       [2]uint32
		Others                                       [15][2]uint32
	}{
		Magic: pe32Plus, Data: dllAlign, CodeBase: dllSection, ImageBase: 0x180000000,
		SectionAlign: 0x1000, FileAlign: dllAlign, SystemMajor: 6, SubsystemMajor: 6,
		ImageSize: 2 * 0x1000, HeaderSize: dllAlign, Subsystem: 3, DLLFlags: 0x0100,
		Stack: 0x100000, StackNow: 0x1000, Heap: 0x100000, HeapNow: 0x1000,
		Directories: 16, Export: [2]uint32{dllSection, uint32(size)},
	})
	put(&b, struct {
		Name                                 [8]byte
		Size, Address, FileSize, FileAddress uint32
		Relocations, Lines                   uint32
		RelocationCount, LineCount           uint16
		Characteristics                      uint32
	}{
		Name: [8]byte{'.', 'e', 'd', 'a', 't', 'a'}, Size: uint32(size), Address: dllSection,
		FileSize: dllAlign, FileAddress: dllAlign, Characteristics: readOnlyData,
	})
	return b.Bytes()
}

// put appends a value of fixed size in the byte order of PE files.
func put(b *bytes.Buffer, value any) { _ = binary.Write(b, binary.LittleEndian, value) }
