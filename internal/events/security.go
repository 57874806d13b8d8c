package events

const (
	subject = "| by {subject}"
	onOf    = ": {target}" + subject
)

// logons are the events of who came, went and was refused. What Describe says of most of them, logonInWords makes.
func logons() []Event {
	return []Event{
		audit(4624, "An account logged on", "A logon succeeded on this machine; its type says how, its address from where.", ""),
		audit(4625, "An account failed to log on", "Somebody tried to log on to this machine and was refused; the status says why.", ""),
		audit(4627, "The groups of a logon", "Comes with a 4624 and names the groups that the account is in.", ": {target}"),
		audit(4634, "An account was logged off", "A logon session ended.", ": {target}|, {logontype}"),
		audit(4647, "A user logged off", "Somebody ended an interactive session of theirs.", ": {target}"),
		audit(4648, "A logon was tried with explicit credentials",
			"A program used another account's name and password than that which it runs under: runas, a scheduled task, or somebody who moves on.",
			": {target}| at {TargetServerName}| by {subject}| from {address}"),
		audit(4649, "A replay attack was detected", "The same Kerberos request arrived twice: an attack, or a network that repeats itself.", ": {target}"),
		audit(4672, "Special privileges were assigned to a logon", "An account that is as good as an administrator logged on.", ": {subject}"),
		audit(4675, "SIDs were filtered", "A trust dropped identities that a token claimed to have from another domain.", ": {target}"),
		audit(4768, "A Kerberos ticket-granting ticket was requested", "An account asked the domain controller to be let in: the first step of a logon in a domain.", ""),
		audit(4769, "A Kerberos service ticket was requested", "An account asked for access to a service; very many by one account may be Kerberoasting.",
			": {TargetUserName}| for {ServiceName}| from {address}|: {failed}"),
		audit(4770, "A Kerberos service ticket was renewed", "A session goes on.", ": {TargetUserName}| for {ServiceName}| from {address}"),
		audit(4771, "Kerberos pre-authentication failed", "The domain controller refused an account, most often for a wrong password.", ""),
		audit(4776, "Credentials were checked by NTLM", "The domain controller, or this machine for its own accounts, checked a name and password the old way.", ""),
		audit(4778, "A session was reconnected", "Somebody took up a remote desktop session, or switched users.", ": {AccountDomain}\\{AccountName}| from {ClientName}| ({ClientAddress})"),
		audit(4779, "A session was disconnected", "Somebody left a remote desktop session without logging off.", ": {AccountDomain}\\{AccountName}| from {ClientName}| ({ClientAddress})"),
		audit(4800, "The workstation was locked", "Somebody locked the screen, or it locked itself.", ": {target}"),
		audit(4801, "The workstation was unlocked", "Somebody came back to a locked screen.", ": {target}"),
		audit(4964, "Special groups have logged on", "A member of a group that is watched for logged on.", ": {target}"),
		audit(5378, "A delegation of credentials was disallowed", "A policy kept a machine from passing a password on to another one.", ": {UserUPN}| to {TargetServer}"),
		auditAt("audit-network-policy-server", 6272, "Network access was granted", "The policy server (RADIUS) let a user in: VPN, wireless or switch port.", ": {SubjectUserName}| from {CallingStationID}"),
		auditAt("audit-network-policy-server", 6273, "Network access was denied", "The policy server (RADIUS) refused a user; the record has the reason.", ": {SubjectUserName}| from {CallingStationID}|: {Reason}"),
	}
}

// accounts are the events of accounts of users and computers.
func accounts() []Event {
	return []Event{
		audit(4720, "A user account was created", "There is a new account; unexpected ones are how intruders stay.", onOf),
		audit(4722, "A user account was enabled", "An account can be used again.", onOf),
		audit(4723, "A user tried to change a password", "Somebody who knew the old password changed it, or tried to.", onOf),
		audit(4724, "A password reset was tried", "Somebody set an account's password without knowing the old one, or tried to.", onOf),
		audit(4725, "A user account was disabled", "An account can't be used any more.", onOf),
		audit(4726, "A user account was deleted", "An account is gone.", onOf),
		audit(4738, "A user account was changed", "Something about an account is another now: its flags, its expiry, its name.", onOf),
		audit(4740, "A user account was locked out", "Too many wrong passwords; the record names the computer that they came from.", ": {TargetUserName}| from {TargetDomainName}"),
		audit(4741, "A computer account was created", "A machine joined the domain, or somebody made an account for one.", onOf),
		audit(4742, "A computer account was changed", "Mostly a machine that changed its own password.", onOf),
		audit(4743, "A computer account was deleted", "A machine is out of the domain.", onOf),
		audit(4765, "SID history was added to an account", "An account was given the identity of another one, of which it has the rights from now on.", onOf),
		audit(4766, "Adding SID history failed", "Somebody tried to give an account the identity of another one.", onOf),
		audit(4767, "A user account was unlocked", "An account that was locked for wrong passwords can be used again.", onOf),
		audit(4780, "Access to administrators' accounts was reset", "The domain put back the rights on an account of administrators that had been changed.", onOf),
		audit(4781, "An account was renamed", "An account has another name and the same rights.", ": {OldTargetUserName}| is {NewTargetUserName}"+subject),
		audit(4782, "A password hash was read", "A tool that migrates passwords, or somebody who steals them, read the hash of one.", onOf),
		audit(4794, "The restore mode password was set, or tried to be", "Whoever knows this password can start a domain controller without the domain.", "| by {subject}"),
		audit(4798, "A user's groups were listed", "A program asked which local groups an account is in: ordinary, or somebody who looks around.", onOf),
		audit(5376, "Stored credentials were backed up", "Somebody copied the passwords of the Credential Manager.", subject),
		audit(5377, "Stored credentials were restored", "Somebody put passwords into the Credential Manager from a copy.", subject),
	}
}

// groups are the events of groups and who is in them.
func groups() []Event {
	const (
		page  = "audit-security-group-management"
		joins = ": {member}| to {target}" + subject
		parts = ": {member}| from {target}" + subject
	)
	return []Event{
		auditAt(page, 4727, "A global group was created", "There is a new security group of the domain.", onOf),
		auditAt(page, 4728, "A member was added to a global group", "Somebody has the rights of a group of the domain; of Domain Admins that is everything.", joins),
		auditAt(page, 4729, "A member was removed from a global group", "Somebody lost the rights of a group of the domain.", parts),
		auditAt(page, 4730, "A global group was deleted", "A security group of the domain is gone.", onOf),
		audit(4731, "A local group was created", "There is a new security group.", onOf),
		audit(4732, "A member was added to a local group", "Somebody has the rights of a group; of Administrators that is the machine.", joins),
		audit(4733, "A member was removed from a local group", "Somebody lost the rights of a group.", parts),
		audit(4734, "A local group was deleted", "A security group is gone.", onOf),
		audit(4735, "A local group was changed", "A security group's name or attributes are others.", onOf),
		auditAt(page, 4737, "A global group was changed", "A security group of the domain has another name or other attributes.", onOf),
		auditAt(page, 4754, "A universal group was created", "There is a new security group of the forest.", onOf),
		auditAt(page, 4755, "A universal group was changed", "A security group of the forest has another name or other attributes.", onOf),
		auditAt(page, 4756, "A member was added to a universal group", "Somebody has the rights of a group of the forest; of Enterprise Admins that is everything.", joins),
		auditAt(page, 4757, "A member was removed from a universal group", "Somebody lost the rights of a group of the forest.", parts),
		auditAt(page, 4758, "A universal group was deleted", "A security group of the forest is gone.", onOf),
		audit(4764, "A group's type was changed", "A group became one with rights, or ceased to be.", onOf),
		audit(4799, "A local group's members were listed", "A program asked who is in a group: ordinary, or somebody who looks around.", onOf),
	}
}

// policies are the events of what is allowed, and of what is audited.
func policies() []Event {
	return []Event{
		audit(4704, "A user right was assigned", "An account may do something to the system that it could not do before.", ": {PrivilegeList}| to {TargetSid}"+subject),
		audit(4705, "A user right was removed", "An account may no longer do something to the system.", ": {PrivilegeList}| from {TargetSid}"+subject),
		audit(4706, "A trust to a domain was created", "Accounts of another domain can be let in from now on.", ": {DomainName}"+subject),
		audit(4707, "A trust to a domain was removed", "Accounts of another domain are no longer let in.", ": {DomainName}"+subject),
		audit(4713, "The Kerberos policy was changed", "How long tickets last is another.", "|: {KerberosPolicyChange}"+subject),
		audit(4715, "The audit policy of an object was changed", "What is recorded of accesses is another.", subject),
		audit(4716, "A trusted domain was changed", "What a trust lets through is another.", ": {DomainName}"+subject),
		audit(4717, "An account may log on in another way", "A right to log on (by network, as a service, by remote desktop) was given.", ": {AccessGranted}| to {TargetSid}"+subject),
		audit(4718, "An account may no longer log on in some way", "A right to log on was taken.", ": {AccessRemoved}| from {TargetSid}"+subject),
		audit(4719, "The system's audit policy was changed", "What this machine records is another: intruders switch it off.", "|: {AuditPolicyChanges}"+subject),
		audit(4739, "The domain policy was changed", "Rules for passwords and lockouts are others.", ": {DomainPolicyChanged}| of {DomainName}"+subject),
		audit(4817, "Auditing of global objects was changed", "What is recorded of accesses to all files or keys is another.", subject),
		audit(4902, "The audit policy of users was set up", "Comes with each start of the machine.", ""),
		audit(4904, "An event source was registered", "A program may write into this log.", ": {AuditSourceName}| by {ProcessName}"),
		audit(4905, "An event source was unregistered", "A program may no longer write into this log.", ": {AuditSourceName}| by {ProcessName}"),
		audit(4906, "What happens when auditing fails was changed", "Whether the machine stops when it can't record any more.", ": {CrashOnAuditFailValue}"),
		audit(4907, "Auditing of an object was changed", "What is recorded of accesses to a file or key is another; updates do that, too.", ": {ObjectName}"+subject),
		audit(4912, "The audit policy of a user was changed", "What is recorded of one account is another.", subject),
		audit(4946, "A firewall rule was added", "Something may pass, or is kept out, that was not before.", ": {RuleName}"),
		audit(4947, "A firewall rule was changed", "A rule of the firewall is another.", ": {RuleName}"),
		audit(4948, "A firewall rule was deleted", "A rule of the firewall is gone.", ": {RuleName}"),
		audit(4949, "The firewall was reset", "All its settings are as they were at first.", ""),
		audit(4950, "A firewall setting was changed", "It may have been switched off.", ": {SettingType}| is {SettingValue}"),
		audit(5024, "The firewall was started", "Comes with each start of the machine.", ""),
		audit(5025, "The firewall was stopped", "The machine has no firewall until it is started again.", ""),
		audit(5032, "The firewall could not ask", "The firewall blocked a program and had nobody to tell.", ""),
		audit(5033, "The firewall's driver was started", "Comes with each start of the machine.", ""),
	}
}

// objects are the events of accesses.
func objects() []Event {
	const access = ": {ObjectName}| by {subject}| ({ProcessName})"
	return []Event{
		audit(4656, "A handle to an object was requested", "A program asked for access to a file, key or other object that is watched.", access),
		audit(4657, "A registry value was changed", "A watched value of the registry is another, new, or gone.", ": {ObjectName}| {ObjectValueName}| is {NewValue}| by {subject}"),
		audit(4660, "An object was deleted", "A watched file, key or other object is gone; the 4663 before it has the name.", "| by {subject}| ({ProcessName})"),
		audit(4661, "A handle to an account object was requested", "A program asked for access to the database of accounts.", access),
		audit(4662, "An operation on a directory object", "Somebody read or changed an object of Active Directory; with the right to replicate that may be DCSync.", ": {ObjectName}"+subject),
		audit(4663, "An object was accessed", "A program used its access to a file, key or other object that is watched.", access),
		audit(4670, "Permissions of an object were changed", "Others may reach a file, key or other object now.", access),
		auditAt("audit-certification-services", 4886, "A certificate was requested", "The certification authority was asked for a certificate.", ": {Requester}"),
		auditAt("audit-certification-services", 4887, "A certificate was issued", "The certification authority approved a request.", ": {Requester}| as {Subject}"),
		audit(5058, "A key file was used", "A private key was read, written or deleted.", ": {KeyName}"+subject),
		audit(5059, "A key was exported or imported", "A private key moved.", ": {KeyName}"+subject),
		audit(5061, "A cryptographic operation", "A key was opened, made or used.", ": {KeyName}"+subject),
		audit(5056, "A cryptographic self-test was made", "Comes with the start of programs that use cryptography.", ": {ReturnCode}"),
		audit(5136, "A directory object was changed", "An attribute of an object of Active Directory is another.", ": {ObjectDN}| {AttributeLDAPDisplayName}"+subject),
		audit(5137, "A directory object was created", "There is a new object in Active Directory.", ": {ObjectDN}"+subject),
		audit(5139, "A directory object was moved", "An object of Active Directory is elsewhere, and under other policies.", ": {OldObjectDN}| to {NewObjectDN}"+subject),
		audit(5141, "A directory object was deleted", "An object of Active Directory is gone.", ": {ObjectDN}"+subject),
		audit(5140, "A network share was accessed", "Somebody opened a share of this machine; ADMIN$ and C$ are for administrators.", ": {ShareName}| by {subject}| from {address}"),
		audit(5142, "A network share was added", "A folder can be reached from other machines.", ": {ShareName}"+subject),
		audit(5143, "A network share was changed", "Others may reach a folder now.", ": {ShareName}"+subject),
		audit(5144, "A network share was deleted", "A folder can no longer be reached from other machines.", ": {ShareName}"+subject),
		audit(5145, "Access to a shared file was checked", "Somebody reached for a file by the network.", ": {ShareName}|\\{RelativeTargetName}| by {subject}| from {address}"),
		audit(5152, "A packet was blocked", "The firewall dropped a packet.", ": {Application}| from {SourceAddress}| to {DestAddress}|:{DestPort}"),
		audit(5156, "A connection was allowed", "The firewall let a connection pass.", ": {Application}| from {SourceAddress}| to {DestAddress}|:{DestPort}"),
		audit(5157, "A connection was blocked", "The firewall refused a connection.", ": {Application}| from {SourceAddress}| to {DestAddress}|:{DestPort}"),
	}
}

// programs are the events of what runs, and of what is to run.
func programs() []Event {
	return []Event{
		audit(4673, "A privileged service was called", "A program used a right that few have.", ": {PrivilegeList}| by {subject}| ({ProcessName})"),
		audit(4674, "An operation on a privileged object", "A program used a right that few have on an object.", ": {ObjectName}| by {subject}| ({ProcessName})"),
		audit(4688, "A process was created", "A program was started; with its command line where the policy says so.", ": {program}| by {subject}| under {ParentProcessName}"),
		audit(4689, "A process ended", "A program is no longer there.", ": {ProcessName}| of {subject}"),
		audit(4696, "A primary token was assigned", "A process got the rights of another account; comes with starts.", ": {TargetProcessName}| for {target}"),
		audit(4697, "A service was installed", "A program will run by itself, mostly with all rights; remote tools of attackers do that.", ": {ServiceName}| ({ServiceFileName})"+subject),
		audit(4698, "A scheduled task was created", "A program will run at its time, or at each logon.", ": {TaskName}"+subject),
		audit(4699, "A scheduled task was deleted", "A program will no longer run at its time.", ": {TaskName}"+subject),
		audit(4700, "A scheduled task was enabled", "A program will run at its time again.", ": {TaskName}"+subject),
		audit(4701, "A scheduled task was disabled", "A program will not run at its time.", ": {TaskName}"+subject),
		audit(4702, "A scheduled task was changed", "What runs at some time, or when, is another.", ": {TaskName}"+subject),
		audit(5038, "A file's integrity could not be verified", "A system file or driver is damaged, or was changed.", ": {param1}"),
		audit(5890, "An object was added to the COM+ catalogue", "A component was registered: by an installation, mostly.", ": {ObjectIdentifyingProperties}"+subject),
		audit(6416, "A device was recognised", "Something was plugged in.", ": {DeviceDescription}"),
	}
}
