package events

// trail are the events of the logs themselves.
func trail() []Event {
	log := func(id int64, name, meaning, form string) Event {
		e := audit(id, name, meaning, form)
		e.Provider = eventLog
		return e
	}
	return []Event{
		log(1100, "The event log service was shut down", "Comes with each stop of the machine; without one, nothing is recorded meanwhile.", ""),
		{ID: 1101, Channel: "Security", Provider: eventLog, Name: "Audit events were dropped",
			Meaning: "Some events are lost: too many came at once, or the machine lost its power."},
		log(1102, "The audit log was cleared", "Somebody emptied the log Security; the record says who.", subject),
		log(1104, "The security log is full", "Nothing is recorded until there is room.", ""),
		log(1105, "The security log was archived", "The log was full and went on in a new file.", ": {BackupPath}"),
		log(1108, "An event could not be recorded", "The event log service met an error with an event of a provider.", ": {EventID}| of {PublisherID}"),
		{ID: 104, Channel: "System", Provider: eventLog, Name: "A log was cleared",
			Meaning: "Somebody emptied a log other than Security; the record says which, and who.", form: ": {Channel}" + subject},
	}
}

// machine are the events of the machine: starts, stops, services.
func machine() []Event {
	const reboots = "https://learn.microsoft.com/troubleshoot/windows-server/performance/troubleshoot-unexpected-reboots-system-event-logs"
	control := func(id int64, name, meaning, form string) Event {
		return Event{ID: id, Channel: "System", Provider: services, Name: name, Meaning: meaning, form: form}
	}
	start := func(id int64, provider, name, meaning, form string) Event {
		return Event{ID: id, Channel: "System", Provider: provider, Name: name, Meaning: meaning, Link: reboots, form: form}
	}
	return []Event{
		audit(4608, "Windows is starting", "The audit begins with a start of the machine.", ""),
		audit(4610, "An authentication package was loaded", "A library that sees passwords was loaded; comes with starts.", ": {AuthenticationPackageName}"),
		audit(4611, "A logon process was registered", "A program may ask for logons; comes with starts.", ": {LogonProcessName}"),
		audit(4614, "A notification package was loaded", "A library that is told of new passwords was loaded; comes with starts.", ": {NotificationPackageName}"),
		audit(4616, "The system's time was changed", "The clock was set: by the time service mostly, and records before and after it are not in order.", ": {PreviousTime}| to {NewTime}"+subject),
		audit(4622, "A security package was loaded", "A library that sees passwords was loaded; comes with starts.", ": {SecurityPackageName}"),
		audit(4826, "The boot configuration was loaded", "Comes with each start; says whether the kernel is being debugged and unsigned drivers are let in.", ""),
		start(41, "Microsoft-Windows-Kernel-Power", "The machine restarted without shutting down", "It crashed, hung or lost its power.", ""),
		start(1001, "Microsoft-Windows-WER-SystemErrorReporting", "The machine restarted after a crash", "The kernel stopped with an error and wrote a dump.", "|: {param1}"),
		start(1074, "User32", "A shutdown or restart was asked for", "A program or user asked for it; the record says why.", ": {param5}| by {param7}| ({param1})|: {param3}"),
		start(1076, "User32", "The reason for a shutdown was given", "Somebody said why the machine went down unexpectedly.", "|: {param1}"),
		start(6005, startStop, "The event log was started", "The machine was started.", ""),
		start(6006, startStop, "The event log was stopped", "The machine was shut down in good order.", ""),
		start(6008, startStop, "The last shutdown was unexpected", "The machine crashed or lost its power at the time that the record names.", "|: {2}| {1}"),
		start(6009, startStop, "The system's version at start", "Comes with each start.", ""),
		start(6013, startStop, "The machine's uptime", "Comes once a day; in seconds.", "|: {5} s"),
		start(12, "Microsoft-Windows-Kernel-General", "The operating system started", "Comes with each start.", ""),
		start(13, "Microsoft-Windows-Kernel-General", "The operating system is shutting down", "Comes with each shutdown in good order.", ""),
		control(7023, "A service ended with an error", "A service is not running any more.", ": {param1}|: {param2}"),
		control(7031, "A service ended unexpectedly", "A service crashed, and Windows does what its recovery says.", ": {param1}"),
		control(7034, "A service ended unexpectedly, for the last time", "A service crashed, and nothing starts it again.", ": {param1}"),
		control(7036, "A service changed its state", "A service was started or stopped.", ": {param1}|: {param2}"),
		control(7040, "A service's start type was changed", "A service starts by itself now, or no longer.", ": {param1}|: {param2}| to {param3}"),
		control(7045, "A service was installed", "A program will run by itself, mostly with all rights; remote tools of attackers do that.", ": {ServiceName}| ({ImagePath})| as {AccountName}"),
	}
}
