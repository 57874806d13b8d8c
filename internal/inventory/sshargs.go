package inventory

import (
	"errors"
	"strings"
)

var errQuote = errors.New("a quotation mark is not closed")

// Words splits text as a shell splits it into words: at blanks, outside of '…' and "…", where a backslash takes a character
// as it is (within "…", only a quotation mark, a backslash, a dollar sign or a backquote). Nothing else means anything:
// there are no variables, no patterns, no pipes.
func Words(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
			}
			inWord = false
			word.Reset()
			continue
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(text) && (quote == 0 || strings.IndexByte("\"\\$`", text[i+1]) >= 0):
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if quote != 0 {
		return nil, errQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// arguments takes over what arguments of ssh say, as far as they say how a host is reached.
func (h *Host) arguments(text, from string) {
	words, err := Words(text)
	if err != nil {
		h.remark("%s was not taken over: %v", from, err)
		return
	}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if len(word) < 2 || word[0] != '-' {
			h.remark("%s: %s was not taken over", from, quoted(word))
			continue
		}
		switch word[1] {
		case 'o', 'J', 'p', 'l', 'i', 'F', 'c', 'm', 'b', 'B', 'E', 'e', 'I', 'L', 'R', 'D', 'S', 'O', 'Q', 'W', 'w':
			value := word[2:]
			if value == "" && i+1 < len(words) {
				i++
				value = words[i]
			}
			h.argument(word[1], value, from)
		case 'C', '4', '6', 'A', 'a', 'q', 'T', 't', 'x', 'X', 'Y', 'k', 'K', 'n', 'N', 'v':
			// Nothing that Muster needs to be told.
		default:
			h.remark("%s: %s was not taken over", from, quoted(word))
		}
	}
}

func (h *Host) argument(letter byte, value, from string) {
	switch letter {
	case 'J':
		h.jump(value, from)
	case 'p':
		h.set("port", value, from)
	case 'l':
		h.set("user", value, from)
	case 'i':
		h.set("key", value, from)
	case 'o':
		key, setting, found := strings.Cut(value, "=")
		if !found {
			key, setting, _ = strings.Cut(value, " ")
		}
		h.option(strings.TrimSpace(key), strings.TrimSpace(setting), from)
	default:
		h.remark("%s: -%c was not taken over", from, letter)
	}
}

// option takes over one option of ssh_config.
func (h *Host) option(key, value, from string) {
	switch strings.ToLower(key) {
	case "proxyjump":
		h.jump(value, from)
	case "proxycommand":
		h.proxyCommand(value, from)
	case "identityfile":
		h.set("key", value, from)
	case "certificatefile":
		h.set("certificate", value, from)
	case "identityagent":
		h.set("agent", value, from)
	case "userknownhostsfile":
		h.knownHosts(value, from)
	case "hostkeyalias":
		h.set("known-as", value, from)
	case "port":
		h.set("port", value, from)
	case "user":
		h.set("user", value, from)
	case "stricthostkeychecking":
		h.checking(value, from)
	case "preferredauthentications":
		h.remark("%s: %s was not taken over: say authentication=\"…\" if the order matters", from, plain(key))
	case "controlmaster", "controlpath", "controlpersist", "connecttimeout", "serveraliveinterval", "serveralivecountmax",
		"compression", "forwardagent", "loglevel", "batchmode", "tcpkeepalive", "connectionattempts", "identitiesonly",
		"requesttty", "gssapiauthentication", "forwardx11", "addkeystoagent", "checkhostip", "updatehostkeys",
		"pubkeyauthentication", "passwordauthentication", "hashknownhosts", "visualhostkey":
		// Muster keeps connections, and has deadlines, of its own.
	default:
		h.remark("%s: %s was not taken over", from, plain(shortened(key)))
	}
}

func (h *Host) knownHosts(value, from string) {
	switch files, err := Words(value); {
	case err != nil:
		h.remark("%s: UserKnownHostsFile was not taken over: %v", from, err)
	case len(files) == 1 && (files[0] == "/dev/null" || strings.EqualFold(files[0], "none")):
		h.remark("%s: UserKnownHostsFile=%s was not taken over: Muster always verifies the keys of hosts", from, plain(files[0]))
	case strings.ContainsAny(value, "%$,"):
		h.remark("%s: UserKnownHostsFile was not taken over: write its path by known-hosts=\"…\"", from)
	default:
		h.set("known-hosts", strings.Join(files, ", "), from)
	}
}

func (h *Host) checking(value, from string) {
	switch strings.ToLower(value) {
	case "accept-new":
		h.set("host-keys", "accept-new", from)
	case "no", "off", "false":
		h.remark("%s: StrictHostKeyChecking=%s was not taken over: Muster always verifies the keys of hosts; "+
			`host-keys="accept-new" records those of new ones`, from, plain(value))
	}
}

func (h *Host) jump(value, from string) {
	if strings.EqualFold(value, "none") {
		value = "none"
	}
	value = strings.ReplaceAll(value, "ssh://", "")
	h.set("via", value, from)
}

// proxyCommand takes over the one command that is a jump host written otherwise: ssh -W %h:%p HOST.
func (h *Host) proxyCommand(value, from string) {
	if strings.EqualFold(value, "none") {
		return
	}
	words, err := Words(value)
	const refused = "%s: ProxyCommand was not taken over: name the machine that it goes through by via=\"…\""
	if err != nil || len(words) < 3 || !strings.HasSuffix(words[0], "ssh") {
		h.remark(refused, from)
		return
	}
	var user, port, host string
	forwards := false
	for i := 1; i < len(words); i++ {
		word := words[i]
		value := ""
		if len(word) > 1 && word[0] == '-' && strings.IndexByte("Wplio", word[1]) >= 0 {
			if value = word[2:]; value == "" && i+1 < len(words) {
				i++
				value = words[i]
			}
		}
		switch {
		case strings.HasPrefix(word, "-W"):
			forwards = value == "%h:%p" || value == "[%h]:%p"
		case strings.HasPrefix(word, "-p"):
			port = ":" + value
		case strings.HasPrefix(word, "-l"):
			user = value + "@"
		case strings.HasPrefix(word, "-i"), strings.HasPrefix(word, "-o"):
			h.remark("%s: an option in ProxyCommand was not taken over: write a <jump> for the machine that it goes through", from)
		case word == "-q", word == "-T", word == "-A", word == "-x":
		case strings.HasPrefix(word, "-") || host != "":
			h.remark(refused, from)
			return
		default:
			host = word
		}
	}
	if !forwards || host == "" {
		h.remark(refused, from)
		return
	}
	if strings.Contains(host, "@") {
		user = ""
	}
	h.set("via", user+host+port, from)
}
