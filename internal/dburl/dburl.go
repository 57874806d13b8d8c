// Package dburl knows which parameters may stand in the URL of a database server, after the "?".
//
// It is vocabulary that two packages share: the configuration, which reports a parameter that it does not know where it
// stands, and the store, which hands parameters to a driver. The drivers would take most unknown names for variables of
// the server, so that a slip of the keyboard would be noticed late, or, where it was meant to secure the connection,
// never. What the rest of the configuration says (user, password) is no parameter. The package imports nothing of
// ours, and holds no state.
package dburl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parameter is one parameter of a URL.
type Parameter struct {
	Name  string
	check func(value string) error
}

// Check says what is wrong with a value: "must be …". What only a file or the server can tell is not looked at.
func (p Parameter) Check(value string) error { return p.check(value) }

// Find returns the parameter of a name, which is compared exactly as the drivers do.
func Find(parameters []Parameter, name string) (Parameter, bool) {
	i := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return Parameter{}, false
	}
	return parameters[i], true
}

// MySQL returns the parameters of mysql:// and mariadb://: those of the driver
// (https://github.com/go-sql-driver/mysql#parameters) that don't change what the store relies on, and two of ours:
// tls-ca, a PEM file of the authorities that are trusted, and socket, the path of a Unix socket.
func MySQL() []Parameter {
	return []Parameter{
		{"tls", oneOf("true", "false", "skip-verify", "preferred")},
		{"tls-ca", text},
		{"socket", text},
		{"timeout", duration},
		{"readTimeout", duration},
		{"writeTimeout", duration},
		{"compress", boolean},
		{"maxAllowedPacket", number},
		{"connectionAttributes", text},
		{"allowCleartextPasswords", boolean},
		{"allowNativePasswords", boolean},
		{"allowFallbackToPlaintext", boolean},
	}
}

// Postgres returns the parameters of postgres:// and postgresql://: those of libpq
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS) that the driver knows, and the
// variables of a session that administrators set for a connection. "options" sets any other, and "host" is the folder of
// a Unix socket.
func Postgres() []Parameter {
	return []Parameter{
		{"sslmode", oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full")},
		{"sslrootcert", text},
		{"sslcert", text},
		{"sslkey", text},
		{"sslcertmode", oneOf("disable", "allow", "require")},
		{"sslnegotiation", oneOf("postgres", "direct")},
		{"sslsni", oneOf("0", "1")},
		{"host", folder},
		{"passfile", text},
		{"connect_timeout", number},
		{"channel_binding", oneOf("disable", "prefer", "require")},
		{"require_auth", text},
		{"min_protocol_version", oneOf("3.0", "3.2", "latest")},
		{"max_protocol_version", oneOf("3.0", "3.2", "latest")},
		{"target_session_attrs", oneOf("any", "read-write", "read-only", "primary", "standby", "prefer-standby")},
		{"krbspn", text},
		{"krbsrvname", text},
		{"application_name", text},
		{"options", text},
		{"search_path", text},
		{"statement_timeout", text},
		{"lock_timeout", text},
		{"idle_in_transaction_session_timeout", text},
		{"synchronous_commit", text},
	}
}

func text(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func folder(value string) error {
	if !strings.HasPrefix(value, "/") {
		return errors.New("must be the folder of a Unix socket, which begins with /: a host belongs before the ?")
	}
	return nil
}

// boolean is what the driver for MySQL takes for one.
func boolean(value string) error {
	if !slices.Contains([]string{"1", "true", "TRUE", "True", "0", "false", "FALSE", "False"}, value) {
		return errors.New("must be true or false")
	}
	return nil
}

func number(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 0 {
		return errors.New("must be a whole number")
	}
	return nil
}

func duration(value string) error {
	if d, err := time.ParseDuration(value); err != nil || d < 0 {
		return errors.New("must be a duration, as in 5s")
	}
	return nil
}

func oneOf(words ...string) func(string) error {
	return func(value string) error {
		if slices.Contains(words, value) {
			return nil
		}
		last := len(words) - 1
		return fmt.Errorf("must be %s or %s", strings.Join(words[:last], ", "), words[last])
	}
}
