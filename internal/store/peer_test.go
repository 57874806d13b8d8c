package store

import (
	"errors"
	"net"
	"strings"
	"testing"
	"unicode"
)

// speaker accepts connections and says its line on each, as a server of another protocol does.
func speaker(t *testing.T, line string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(line))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// TestServerOfAnotherProtocol connects to the wrong port: the error is one line that can be printed.
func TestServerOfAnotherProtocol(t *testing.T) {
	const mariadb = "Z\x00\x00\x00\x0a5.5.5-10.11.14-MariaDB-0+deb12u2\x00\x2b\x00\x00\x00abcdefgh\x00\xfe\xf7\x08\x02\x00\xff\x81\x15\x00\x00"
	for _, scheme := range []string{"mysql", "postgres"} {
		for name, line := range map[string]string{
			"mariadb": mariadb, "ssh": "SSH-2.0-OpenSSH_9.2\r\n", "http": "HTTP/1.1 400 Bad Request\r\n\r\n", "nothing": "",
			"terminal": "E\x00\x00\x00\x20SFATAL\x00C00000\x00M\x1b[31mred\nline\x00\x00",
		} {
			address := speaker(t, line)
			s, err := Open(t.Context(), Options{URL: scheme + "://u@" + address + "/d", Password: "s3cr3t"})
			if err == nil {
				_ = s.Close()
				t.Fatalf("%s at %s: no error", scheme, name)
			}
			text := err.Error()
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(text, "%!") {
				t.Errorf("%s at %s: the error is not one line: %q", scheme, name, text)
			}
			if !strings.Contains(text, address) {
				t.Errorf("%s at %s: the error does not say where: %q", scheme, name, text)
			}
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s at %s: %v, want ErrUnavailable", scheme, name, err)
			}
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	inner := errors.New("failed to connect to `user=u`:\n\tone: refused\r\n\ttwo: unexpected message: %!w(<nil>)\n \x1b[31m")
	err := &lineError{inner}
	if want := "failed to connect to `user=u`: one: refused; two: unexpected message; " + `\x1b[31m`; err.Error() != want {
		t.Errorf("%q, want %q", err.Error(), want)
	}
	if !errors.Is(err, inner) {
		t.Error("the cause is lost")
	}
}
