package testserver

import (
	"bytes"
	"debug/pe"
	"testing"
)

// TestForwarder has another reader of the format say what the DLL is.
func TestForwarder(t *testing.T) {
	file, err := pe.NewFile(bytes.NewReader(bcryptPrimitives()))
	if err != nil {
		t.Fatal(err)
	}
	header, ok := file.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || file.Machine != pe.IMAGE_FILE_MACHINE_AMD64 || file.Characteristics&pe.IMAGE_FILE_DLL == 0 {
		t.Fatalf("it is no DLL for amd64: %+v", file.FileHeader)
	}
	export := header.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT]
	section := file.Section(".edata")
	if section == nil || export.VirtualAddress != section.VirtualAddress || export.Size != section.VirtualSize {
		t.Fatalf("the exports are at %+v, the section is %+v", export, section)
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	texts := []byte("bcryptprimitives.dll\x00ProcessPrng\x00advapi32.SystemFunction036\x00")
	if !bytes.Equal(data[export.Size-uint32(len(texts)):export.Size], texts) {
		t.Errorf("the section is %q", data[:export.Size])
	}
}
