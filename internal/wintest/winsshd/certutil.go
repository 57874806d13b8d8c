package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// certutil is a stand-in for certutil -hashfile FILE SHA256.
func certutil(arguments []string, stdout io.Writer) int {
	if len(arguments) != 3 || arguments[0] != "-hashfile" || arguments[2] != "SHA256" {
		fmt.Fprint(stdout, "CertUtil: Unknown arg\r\n")
		return 1
	}
	content, err := os.ReadFile(arguments[1])
	if err != nil {
		fmt.Fprint(stdout, "CertUtil: -hashfile command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\r\n")
		return 1
	}
	fmt.Fprintf(stdout, "SHA256 hash of %s:\r\n%x\r\nCertUtil: -hashfile command completed successfully.\r\n",
		arguments[1], sha256.Sum256(content))
	return 0
}
