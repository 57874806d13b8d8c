package config

import (
	"fmt"
	"strings"
	"testing"
)

// fleetDocument returns a configuration of many hosts, in groups of a hundred.
func fleetDocument(hosts int) []byte {
	var b strings.Builder
	b.WriteString(`<muster xmlns="` + Namespace + `"><limit statistic="cpu.usage" above="90%"/><group key="k" user="u">`)
	for i := range hosts {
		if i%100 == 0 {
			if i > 0 {
				b.WriteString("</group>\n")
			}
			fmt.Fprintf(&b, `<group name="rack %d"><limit statistic="disk.usage" above="80%%"/>`, i/100)
		}
		fmt.Fprintf(&b, "\n  <host name=\"host-%06d\" address=\"10.%d.%d.%d\" port=\"2222\">"+
			`<limit statistic="disk.usage" instance="/var" above="85%%"/></host>`, i, i>>16&255, i>>8&255, i&255)
	}
	b.WriteString("</group></group></muster>")
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, hosts := range []int{100, 10000, 100000} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			document := fleetDocument(hosts)
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				c, err := Parse(file, document, fixture())
				if err != nil || len(c.Hosts) != hosts {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMistakes has one mistake a host.
func BenchmarkMistakes(b *testing.B) {
	document := []byte(strings.ReplaceAll(string(fleetDocument(10000)), " port=", " prot="))
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		if _, err := Parse(file, document, fixture()); err == nil {
			b.Fatal("no mistakes")
		}
	}
}
