package report

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// validate gives documents to xmllint and returns what it says against each; nothing where the schema accepts it.
func validate(t *testing.T, documents map[string]string) map[string]string {
	t.Helper()
	xmllint := testserver.Need(t, "xmllint", "libxml2-utils")
	folder := t.TempDir()
	schema := filepath.Join(folder, "report.xsd")
	if err := os.WriteFile(schema, Schema(), 0o600); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string, len(documents))
	args := []string{"--nonet", "--noout", "--schema", schema}
	for name, document := range documents {
		path := filepath.Join(folder, fmt.Sprintf("%d.xml", len(names)))
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		names[path] = name
		args = append(args, path)
	}
	// xmllint ends with a failure where one document is not valid, but it says of each what it is.
	output, err := exec.CommandContext(t.Context(), xmllint, args...).CombinedOutput()
	said := make(map[string]string, len(documents))
	for path, name := range names {
		i := strings.Index(string(output), path)
		if i < 0 {
			t.Fatalf("xmllint says nothing of %s (%v):\n%s", name, err, output)
		}
		if !strings.Contains(string(output), path+" validates\n") {
			said[name], _, _ = strings.Cut(string(output[i:]), "\n")
		}
	}
	return said
}

func TestReportsValidate(t *testing.T) {
	dirty := typical()
	dirty.Hostname = "\x1b\u202e\xff"
	dirty.Statistics[20].Instance = "\x00a\u0085"
	dirty.Clean()
	documents := accepted()
	documents["typical"] = string(marshal(t, typical()))
	documents["logs"] = string(marshal(t, withLogs()))
	documents["awkward"] = string(marshal(t, awkward()))
	documents["cleaned"] = string(marshal(t, dirty))
	said := validate(t, documents)
	for name, document := range documents {
		if want := !strings.HasPrefix(name, "not the schema"); (said[name] == "") != want {
			t.Errorf("%s: valid is %v, want %v: %s\n%s", name, !want, want, said[name], document)
		}
	}
}

func TestSchemaRefusesWhatParseRefuses(t *testing.T) {
	documents := map[string]string{}
	for name, test := range refusals() {
		documents[name] = test.document
	}
	said := validate(t, documents)
	for name, test := range refusals() {
		if (said[name] != "") != test.schema {
			t.Errorf("%s: refused by the schema is %v, want %v: %s\n%s",
				name, !test.schema, test.schema, said[name], test.document)
		}
	}
}

// The numbers in the schema are those of the code.
func TestSchemaHasTheBounds(t *testing.T) {
	for name, most := range map[string]int{
		"optionalText": MaxText, "instance": MaxInstance, "reason": MaxReason, "name": MaxName, "unit": MaxUnit,
		"channel": MaxChannel, "word": MaxWord, "filledWord": MaxWord, "identity": MaxIdentity, "position": MaxPosition,
		"messageText": MaxMessage, "fieldText": MaxField, "rawText": MaxRaw,
	} {
		pattern := regexp.MustCompile(`(?s)<xs:simpleType name="` + name + `">.*?<xs:maxLength value="(\d+)"/>`)
		found := pattern.FindSubmatch(Schema())
		if found == nil {
			t.Errorf("the schema has no bound for %s", name)
			continue
		}
		if got, err := strconv.Atoi(string(found[1])); err != nil || got != most {
			t.Errorf("the schema's bound for %s is %s, want %d", name, found[1], most)
		}
	}
	if !strings.Contains(string(Schema()), `targetNamespace="`+Namespace+`"`) {
		t.Error("the schema is not that of the namespace")
	}
}

// The schema knows each level and kind of trouble that the code does, and no other.
func TestSchemaHasTheLevels(t *testing.T) {
	var levels []string
	for _, level := range Levels() {
		levels = append(levels, string(level))
	}
	troubles := []TroubleKind{TroubleDenied, TroubleAbsent, TroubleQuery, TroubleUnsupported, TroubleSlow, TroubleFailed}
	var kinds []string
	for _, kind := range troubles {
		kinds = append(kinds, string(kind))
	}
	for name, want := range map[string][]string{"level": append([]string{""}, levels...), "troubleKind": kinds} {
		_, after, _ := strings.Cut(string(Schema()), `<xs:simpleType name="`+name+`">`)
		after, _, _ = strings.Cut(after, "</xs:simpleType>")
		var got []string
		for _, match := range regexp.MustCompile(`<xs:enumeration value="(.*?)"/>`).FindAllStringSubmatch(after, -1) {
			got = append(got, match[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("the schema has the values %q of %s, want %q", got, name, want)
		}
	}
}

func TestSchemaIsACopy(t *testing.T) {
	Schema()[0] = 'x'
	if Schema()[0] != '<' {
		t.Error("a caller changed the schema")
	}
}
