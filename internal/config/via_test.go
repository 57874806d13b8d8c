package config

import (
	"fmt"
	"strings"
	"testing"
)

// wayText returns what a host is reached through, the nearest to the server first.
func (h *Host) wayText() string {
	text := ""
	for at := h.Via; at != nil; at = at.Via {
		text = fmt.Sprintf("%s(%s@%s:%d) ", at.Name, at.User, at.Address, at.Port) + text
	}
	return strings.TrimSpace(text)
}

func TestWays(t *testing.T) {
	c := parsed(t, muster(`
<jump name="gate" address="gate.example" user="g" key="/g" port="2200"/>
<jump name="inner gate" address="10.0.0.1" user="i" key="/i" via="gate"/>
<group user="u" key="/k" port="2222" via="Inner Gate">
  <host name="two" address="a"/>
  <host name="one" address="b" via="gate"/>
  <host name="none" address="c" via="none"/>
  <host name="host" address="d" via="one"/>
  <host name="implied" address="e" via="bastion.example"/>
  <host name="implied user" address="f" via="admin@bastion.example:2022"/>
  <host name="implied six" address="g" via="[2001:db8::1]:22"/>
  <host name="list" address="h" via="gate, admin@10.9.9.9, one"/>
  <group via="none"><host name="ended" address="i"/></group>
  <host address="j" port="22"/>
  <host name="by address" address="k" via="J"/>
</group>
<host name="outside" address="l" key="/k"/>`))
	const gate, inner = "gate(g@gate.example:2200)", "inner gate(i@10.0.0.1:22)"
	for name, want := range map[string]string{
		"two":          gate + " " + inner,
		"one":          gate,
		"none":         "",
		"host":         gate + " one(u@b:2222)",
		"implied":      "bastion.example(u@bastion.example:22)",
		"implied user": "bastion.example:2022(admin@bastion.example:2022)",
		"implied six":  "2001:db8::1(u@2001:db8::1:22)",
		"list":         gate + " 10.9.9.9(admin@10.9.9.9:22) one(u@b:2222)",
		"ended":        "",
		"by address":   gate + " " + inner + " j(u@j:22)",
		"outside":      "",
	} {
		h := c.host(t, name)
		if got := h.wayText(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	if c.host(t, "one").Via != c.host(t, "two").Via.Via {
		t.Error("a jump host is not shared")
	}
	if via := c.host(t, "host").Via; via != &c.Hosts[1] {
		t.Errorf("a host on the way is a copy: %+v", via)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

// TestImpliedMachinesAreShared wants one machine where hosts log in alike, and others where they do not.
func TestImpliedMachinesAreShared(t *testing.T) {
	c := parsed(t, muster(`
<group key="/k" via="outer">
  <jump name="outer" address="o"/>
  <group via="one, two">
    <jump name="one" address="a1"/>
    <host name="two" address="a2"/>
    <host name="last" address="a3"/>
  </group>
  <group via="h"><host name="h" address="a4"/><host name="i" address="a5"/></group>
</group>`))
	for name, want := range map[string]string{
		"two":  "outer(alice@o:22) one(alice@a1:22)",
		"last": "outer(alice@o:22) one(alice@a1:22) two(alice@a2:22)",
		"h":    "outer(alice@o:22)",
		"i":    "outer(alice@o:22) h(alice@a4:22)",
	} {
		h := c.host(t, name)
		if got := h.wayText(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	var names []string
	for _, h := range c.Jumps() {
		names = append(names, h.Name)
	}
	if got := strings.Join(names, " "); got != "outer one two h" {
		t.Errorf("on the way: %s", got)
	}
}

func TestWrongWays(t *testing.T) {
	hop := func(i int) string {
		return fmt.Sprintf(`<jump name="j%d" address="a" key="k" via="j%d"/>`, i, i+1)
	}
	chain := func(length int) string {
		text := `<host address="h" key="k" via="j1"/>`
		for i := 1; i < length; i++ {
			text += hop(i)
		}
		return text + fmt.Sprintf(`<jump name="j%d" address="a" key="k"/>`, length)
	}
	for _, c := range []struct{ document, want string }{
		{`<host name="a" address="h" key="k" via="a"/>`, `2:36: via="a" of <host>: leads in a circle: "a" through "a" is reached through itself`},
		{`<host name="a" address="h" key="k" via="A"/>`, `leads in a circle`},
		{`<host name="h" address="h" key="k" via="a"/>` + "\n" + `<jump name="a" address="h" key="k" via="b"/><jump name="b" address="h" key="k" via="c"/><jump name="c" address="h" key="k" via="a"/>`,
			`3:36: via="b" of <jump>: leads in a circle: "a" through "b" through "c" through "a" is reached through itself`},
		{`<group key="k" via="b"><jump name="a" address="a"/><jump name="b" address="b" via="a"/><host address="h"/></group>`, `leads in a circle: "a" through "b" through "a"`},
		{`<jump name="a" address="a" key="k"/><host address="h" key="k" via="a,a"/>`, `leads through "a" twice`},
		{`<jump name="a" address="a" key="k"/><jump name="b" address="b" key="k" via="a"/><host address="h" key="k" via="b,a"/>`, `leads through "a" twice`},
		{`<host name="h" address="h" key="k" via="a.example,h"/>`, `leads through "h" twice`},
		{`<jump name="bastion" address="a" key="k"/><host address="h" key="k" via="b stion"/><host address="i" key="k" via="bastion"/>`,
			`"b stion" is neither the name of a <jump> or <host> nor [user@]address[:port]: did you mean bastion?`},
		{`<host address="h" key="k" via="u@a:0"/>`, `"u@a:0" is neither the name of a <jump> or <host> nor [user@]address[:port]: the port must be`},
		{`<host address="h" key="k" via="@a"/>`, `nor [user@]address[:port]: the user must not be empty`},
		{`<host address="h" key="k" via="none,a"/>`, `must be none alone`},
		{chain(8), ``},
		{chain(9), `leads through more than 8 machines`},
	} {
		got := mistakesIn(t, muster(c.document), fixture())
		if c.want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s:\ngot  %q\nwant %s", c.document, got, c.want)
		}
	}
}

func TestWarningsOfWays(t *testing.T) {
	for document, want := range map[string]string{
		`<jump name="gate" address="a" key="k"/><host address="h" key="k"/>`:                                                             `no host is reached through this <jump>`,
		`<jump name="gate" address="a" key="k"/><host address="h" key="k" via="gate"/><host address="i" key="k" via="gaet"/>`:            `did you mean gate?`,
		`<jump name="gate" address="a" key="k"/><host address="h" key="k" via="gate"/><host address="i" key="k" via="bastion.example"/>`: ``,
	} {
		got := parsed(t, muster(document)).Warnings
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0].Message, want) {
			t.Errorf("%s: %v", document, got)
		}
	}
}
