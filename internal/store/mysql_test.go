package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/testserver"
)

// TestMariaDBWithTLS connects with a certificate of an authority that only the configuration knows, as a user with rights
// on one database that does not exist yet; and with a migration that was interrupted.
func TestMariaDBWithTLS(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	authority, certificate, key := certificates(t, folder)
	server := testserver.MariaDBWith(t, "--ssl-cert="+certificate, "--ssl-key="+key)
	x := &target{server: server}

	t.Run("Verified", func(t *testing.T) {
		o := x.fresh(t)
		o.URL += "?tls-ca=" + authority
		s := openStore(t, o)
		var name, cipher string
		if err := s.pool.QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || cipher == "" {
			t.Errorf("the connection is encrypted with %q, %v", cipher, err)
		}
	})
	t.Run("UnknownAuthority", func(t *testing.T) {
		o := x.fresh(t)
		o.URL += "?tls=true"
		_, err := Open(t.Context(), o)
		var unknown x509.UnknownAuthorityError
		if !errors.Is(err, ErrUnavailable) || !errors.As(err, &unknown) {
			t.Errorf("%v, want ErrUnavailable because of an unknown authority", err)
		}
	})
	t.Run("LeastRights", func(t *testing.T) {
		x.rightsOf(t, "CREATE USER least@'%' IDENTIFIED BY 'pw'", "GRANT ALL ON least_own.* TO least@'%'")
	})
	t.Run("InterruptedMigration", func(t *testing.T) { testInterruptedMigration(t, x) })
	t.Run("DefaultsOfTheServerDoNotMatter", func(t *testing.T) { testForeignDefaults(t, x) })
}

// testInterruptedMigration takes away what a server that died while it migrated would not have written.
func testInterruptedMigration(t *testing.T, x *target) {
	for name, statements := range map[string][]string{
		"before the first version": {"DELETE FROM goose_db_version", "DROP TABLE statistics, alerts", "DROP VIEW latest"},
		"before the version":       {"DELETE FROM goose_db_version WHERE version_id > 0", "DROP VIEW samples, latest, log_records"},
	} {
		o := x.fresh(t)
		s := openStore(t, o)
		for _, statement := range statements {
			if err := s.db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		again, err := Open(t.Context(), o)
		if err != nil {
			t.Errorf("interrupted %s: %v", name, err)
			continue
		}
		save(t, again, fleet(noon(), 2, 2)...)
		if n := count(t, again, "latest"); n != 4 {
			t.Errorf("interrupted %s: %d values, want 4", name, n)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// testForeignDefaults: a database that somebody has created with another character set holds every text all the same.
func testForeignDefaults(t *testing.T, x *target) {
	o := x.fresh(t)
	admin := x.open(t)
	name := o.URL[strings.LastIndex(o.URL, "/")+1:]
	if err := admin.db.Exec("CREATE DATABASE " + name + " CHARACTER SET latin1 COLLATE latin1_german1_ci").Error; err != nil {
		t.Fatal(err)
	}
	if err := admin.db.Exec("SET GLOBAL sql_mode = ''").Error; err != nil { // would cut what is too long, and not say so
		t.Fatal(err)
	}
	s := openStore(t, o)
	if err := s.db.Create(&seriesRow{ID: 1, Name: strings.Repeat("x", maxName+1)}).Error; err == nil {
		t.Error("a text that is too long is cut silently")
	}
	v := broken("web1", noon())
	v.Error = "😀 漢字"
	save(t, s, v, broken("WEB1", noon()))
	if got := queryOne[string](t, s, "SELECT error FROM visits WHERE host = 'web1'"); got != v.Error {
		t.Errorf("%q came back as %q", v.Error, got)
	}
	if n := count(t, s, "hosts"); n != 2 {
		t.Errorf("web1 and WEB1 are %d hosts", n)
	}
}

// certificates writes an authority's certificate, and a certificate of its for 127.0.0.1 with the key.
func certificates(t *testing.T, folder string) (authority, certificate, key string) {
	t.Helper()
	caKey, caTemplate := newKey(t), template("authority")
	caTemplate.IsCA, caTemplate.BasicConstraintsValid, caTemplate.KeyUsage = true, true, x509.KeyUsageCertSign
	ca, err := x509.CreateCertificate(rand.Reader, caTemplate, caTemplate, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	ownKey, ownTemplate := newKey(t), template("server")
	ownTemplate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	own, err := x509.CreateCertificate(rand.Reader, ownTemplate, caTemplate, ownKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(ownKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("ca.pem", "CERTIFICATE", ca), write("server.pem", "CERTIFICATE", own), write("key.pem", "PRIVATE KEY", secret)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}
