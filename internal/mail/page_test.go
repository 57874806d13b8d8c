package mail_test

import (
	"strings"
	"testing"

	"muster/internal/mail"
)

// A row is as wide as a mail is, however long the path of a file is: what is cut is in front of the file's name.
func TestRowsOfFilesWithLongPaths(t *testing.T) {
	long := "/srv/customers/example.org/shops/europe/production"
	for instance, want := range map[string]string{
		"file:/var/log/auth.log, failed logons":                   "file:/var/log/auth.log, failed logons",
		"file:" + long + "/auth.log, failed logons":               "file:…/production/auth.log, failed logons",
		"file:C:" + strings.ReplaceAll(long, "/", `\`) + `\x.log`: `file:…\shops\europe\production\x.log`,
		"file:/" + strings.Repeat("n", 100):                       "file:/" + strings.Repeat("n", 57) + "…",
		"file:/a/" + strings.Repeat("n", 100):                     "file:…/" + strings.Repeat("n", 56) + "…",
		"journal, providers " + strings.Repeat("p,", 50):          "journal, providers " + strings.Repeat("p,", 22) + "…",
	} {
		message, err := mail.Render(mail.Digest{To: "a@example.org", Sweep: sweep, Raised: []mail.Item{{
			Notice: "n", Host: "web1", Groups: "web", Statistic: "logs.matches", Instance: instance, Unit: "1", Value: 4, Limit: "above 3", Since: sweep,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(message.Text, "  web1 "+want+"  4  since") {
			t.Errorf("%s: no %q in\n%s", instance, want, message.Text)
		}
	}
}
