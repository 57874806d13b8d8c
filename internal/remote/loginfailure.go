package remote

import (
	"errors"
	"fmt"
	"strings"

	"muster/internal/failure"
)

// explain says why the login failed, given the library's error.
func (l *login) explain(err error) *failure.Error {
	if l.agentErr != nil && len(l.tried) == l.unsigned {
		return configuration(l.agentErr, "start the agent, or correct agent=\"…\": a service has no agent of a person's session; "+
			"ssh-add -l shows what it has")
	}
	found := &failure.Error{Kind: failure.LoginFailed, Advice: l.advice(err)}
	if l.password.spent && l.password.gate != nil {
		found.Kind = failure.PasswordRefused
	}
	refusal := l.password.refusal()
	switch {
	case !l.asked || !errors.Is(err, errRejected):
		// The host ended the login on its own account, with a message of its own.
		found.Err = fmt.Errorf("the host ended the login of user %q: %w", l.user, err)
	case refusal != nil && len(l.tried) == 0:
		return refusal
	case refusal != nil:
		found.Kind, found.Advice = refusal.Kind, refusal.Help()
		found.Err = fmt.Errorf("the host rejected user %q with %s; %w", l.user, l.offers(), refusal.Err)
	case l.accepted > 0:
		found.Err = fmt.Errorf("the host accepted a part of the login of user %q after %s, but also wants: %s",
			l.user, l.offers(), quoteAll(l.allowed))
	default:
		found.Err = fmt.Errorf("the host rejected user %q with %s; it allows: %s",
			l.user, l.offers(), quoteAll(l.allowed))
	}
	if more := l.remarks(); more != "" {
		found.Err = fmt.Errorf("%w; %s", found.Err, more)
	}
	return found
}

// offers lists what the host was offered.
func (l *login) offers() string {
	if len(l.tried) == 0 {
		return "nothing that we could offer"
	}
	return strings.Join(l.tried, ", ")
}

// remarks says what else is odd about what we have.
func (l *login) remarks() string {
	remarks := l.problems
	for _, key := range l.keys[:l.offered] {
		if problem := principalProblem(key.PublicKey(), l.user); problem != "" {
			remarks = append(remarks, problem)
		}
	}
	if l.agentErr != nil {
		remarks = append(remarks, l.agentErr.Error())
	}
	if l.left > 0 {
		remarks = append(remarks, fmt.Sprintf("of the agent's keys %d were not offered, since hosts break off at the sixth", l.left))
	}
	return strings.Join(remarks, "; ")
}

// advice says what a person can do about a login that failed with err.
func (l *login) advice(err error) string {
	ended := l.asked && !errors.Is(err, errRejected)
	switch {
	case l.strange != "":
		return fmt.Sprintf("the host asks %.64q, which cannot be answered unattended: let it accept a key for this user", l.strange)
	case ended && len(l.tried) > 1 || l.left > 0:
		return fmt.Sprintf("the host was offered %d keys and passwords, and may allow no more (MaxAuthTries in its sshd_config): "+
			`name the right key first in key="…"; the public half (.pub) of one that an agent has will do`, len(l.tried))
	case len(l.problems) > 0:
		return "have the certificate renewed (ssh-keygen -s; ssh-keygen -Lf shows until when one is good), and check this machine's clock"
	case l.wrongPrincipal():
		return "have a certificate made for this user (ssh-keygen -s … -n USER), or see to AuthorizedPrincipalsFile on the host"
	case l.asked && len(l.tried) == 0 && l.password.text == "":
		return "the host allows no keys: configure a password, or set PubkeyAuthentication yes in its sshd_config"
	case l.asked && len(l.tried) == 0:
		return "the host allows no passwords: configure a key, or set PasswordAuthentication yes in its sshd_config"
	case l.password.spent && l.password.gate != nil:
		return "check the user, the password and the host's sshd log; the password is not sent to this host again until the " +
			"configuration changes, or you run: muster login retry"
	case l.password.spent && l.offered > 0:
		return "check the user and the password, that the key is in the user's authorized_keys, and the host's sshd log"
	case l.password.spent:
		return "check the user and the password; the host's sshd log says which is wrong"
	default:
		return "check the user, and that the key is in the user's authorized_keys; the host's sshd log says more"
	}
}

// wrongPrincipal tells whether a certificate that was offered names others than the user.
func (l *login) wrongPrincipal() bool {
	for _, key := range l.keys[:l.offered] {
		if principalProblem(key.PublicKey(), l.user) != "" {
			return true
		}
	}
	return false
}
