package config

// The format: each struct is an element, each field with a tag an attribute or a child element of it. A pointer to a
// struct is a child that may stand once, a slice of them one that may stand any number of times. The types of the
// attributes are in values.go and say what may stand in them; a nil pointer is an attribute that was not given.
//
// What the fields can't say (what goes together, what is known, what is there) the resolver checks.

// element is where an element begins.
type element struct{ at int }

func (e *element) begin(at int) { e.at = at }
func (e *element) begun() int   { return e.at }

type musterElement struct {
	element
	Server   *serverElement   `element:"server"`
	Database *databaseElement `element:"database"`
	Queue    *queueElement    `element:"queue"`
	Mail     *mailElement     `element:"mail"`
	contents
}

// terms is what holds for all hosts in an element.
type terms struct {
	Timeouts    *timeoutsElement      `element:"timeouts"`
	Limits      []*limitElement       `element:"limit"`
	Logs        []*logsElement        `element:"logs"`
	MailRecords []*mailRecordsElement `element:"mail-records"`
}

// contents is what stands in <muster> as well as in a group.
type contents struct {
	terms
	Includes []*includeElement `element:"include"`
	Groups   []*groupElement   `element:"group"`
	Jumps    []*jumpElement    `element:"jump"`
	Hosts    []*hostElement    `element:"host"`
	Printed  []*hostsElement   `element:"hosts"`
}

type serverElement struct {
	element
	Data      *attribute[path]         `attribute:"data"`
	Interval  *attribute[duration]     `attribute:"interval"`
	Parallel  *attribute[count]        `attribute:"parallel"`
	LogLevel  *attribute[logLevel]     `attribute:"log-level"`
	LogFormat *attribute[logFormat]    `attribute:"log-format"`
	LogFile   *attribute[optionalPath] `attribute:"log-file"`
	Listen    *attribute[listen]       `attribute:"listen"`
	SSHConfig *attribute[optionalPath] `attribute:"ssh-config"`
	Spread    *attribute[duration]     `attribute:"spread"`
	Backoff   *attribute[duration]     `attribute:"backoff"`
}

type databaseElement struct {
	element
	URL      *attribute[databaseURL] `attribute:"url"`
	Password *attribute[password]    `attribute:"password"`
	Keep     *attribute[duration]    `attribute:"keep"`
}

type queueElement struct {
	element
	URL         *attribute[natsURLs]     `attribute:"url"`
	Username    *attribute[name]         `attribute:"username"`
	Password    *attribute[password]     `attribute:"password"`
	Credentials *attribute[optionalPath] `attribute:"credentials"`
	CA          *attribute[optionalPath] `attribute:"ca"`
	Replicas    *attribute[replicas]     `attribute:"replicas"`
	Size        *attribute[size]         `attribute:"size"`
	Age         *attribute[duration]     `attribute:"age"`
}

type mailElement struct {
	element
	Host     *attribute[address]      `attribute:"host" required:"true"`
	Port     *attribute[port]         `attribute:"port"`
	Security *attribute[security]     `attribute:"security"`
	Username *attribute[name]         `attribute:"username"`
	Password *attribute[password]     `attribute:"password"`
	From     *attribute[mailbox]      `attribute:"from" required:"true"`
	To       *attribute[mailboxes]    `attribute:"to"`
	CA       *attribute[optionalPath] `attribute:"ca"`
	Timeout  *attribute[duration]     `attribute:"timeout"`
}

// loginAttributes is what a group says for all machines in it, and a host or a jump host for itself: how it is reached and
// logged in to.
type loginAttributes struct {
	User           *attribute[name]          `attribute:"user"`
	Key            *attribute[optionalPaths] `attribute:"key"`
	Certificate    *attribute[optionalPaths] `attribute:"certificate"`
	Passphrase     *attribute[password]      `attribute:"passphrase"`
	Agent          *attribute[agent]         `attribute:"agent"`
	Password       *attribute[password]      `attribute:"password"`
	Authentication *attribute[methods]       `attribute:"authentication"`
	Port           *attribute[port]          `attribute:"port"`
	KnownHosts     *attribute[paths]         `attribute:"known-hosts"`
	HostKeys       *attribute[hostKeys]      `attribute:"host-keys"`
	KnownAs        *attribute[knownAs]       `attribute:"known-as"`
	Via            *attribute[via]           `attribute:"via"`
}

// inheritable is what a group says for all hosts in it and a host for itself.
type inheritable struct {
	loginAttributes
	Transfer  *attribute[transfer]  `attribute:"transfer"`
	Directory *attribute[directory] `attribute:"directory"`
	Client    *attribute[client]    `attribute:"client"`
	Sudo      *attribute[yesNo]     `attribute:"sudo"`
	Mail      *attribute[mailboxes] `attribute:"mail"`
}

// machine is what a host and a jump host have of their own.
type machine struct {
	Name        *attribute[name]         `attribute:"name"`
	Address     *attribute[address]      `attribute:"address" required:"true"`
	Fingerprint *attribute[fingerprints] `attribute:"fingerprint"`
}

type groupElement struct {
	element
	inheritable
	contents
	Name *attribute[groupName] `attribute:"name"`
}

type hostElement struct {
	element
	machine
	inheritable
	terms
	command string // that printed it; empty: it stands in a document
}

type jumpElement struct {
	element
	machine
	loginAttributes
	Sessions *attribute[count] `attribute:"sessions"`
}

// includeElement stands for what is in other files.
type includeElement struct {
	element
	File *attribute[pattern] `attribute:"file" required:"true"`
}

// hostsElement stands for the hosts that a command prints.
type hostsElement struct {
	element
	Command *attribute[command]  `attribute:"command" required:"true"`
	Timeout *attribute[duration] `attribute:"timeout"`
}

type timeoutsElement struct {
	element
	Dial           *attribute[duration] `attribute:"dial"`
	Handshake      *attribute[duration] `attribute:"handshake"`
	Authentication *attribute[duration] `attribute:"authentication"`
	Platform       *attribute[duration] `attribute:"platform"`
	Deploy         *attribute[duration] `attribute:"deploy"`
	Run            *attribute[duration] `attribute:"run"`
	Receive        *attribute[duration] `attribute:"receive"`
	Visit          *attribute[duration] `attribute:"visit"`
}

type limitElement struct {
	element
	Statistic *attribute[statistic] `attribute:"statistic"`
	Instance  *attribute[instance]  `attribute:"instance"`
	Log       *attribute[channel]   `attribute:"log"`
	Events    *attribute[eventIDs]  `attribute:"events"`
	kinds
	Logon *attribute[logon]    `attribute:"logon"`
	Above *attribute[bound]    `attribute:"above"`
	Below *attribute[bound]    `attribute:"below"`
	For   *attribute[duration] `attribute:"for"`
}

// kinds is how log records are selected, beside their events.
type kinds struct {
	Levels    *attribute[levels]    `attribute:"levels"`
	Providers *attribute[providers] `attribute:"providers"`
}

type logsElement struct {
	element
	Channel *attribute[channel]        `attribute:"channel" required:"true"`
	Events  *attribute[eventIDsOrNone] `attribute:"events"`
	kinds
	XPath    *attribute[xpath] `attribute:"xpath"`
	Since    *attribute[since] `attribute:"since"`
	Raw      *attribute[yesNo] `attribute:"raw"`
	Messages *attribute[yesNo] `attribute:"messages"`
}

type mailRecordsElement struct {
	element
	Log    *attribute[channel]        `attribute:"log" required:"true"`
	Events *attribute[eventIDsOrNone] `attribute:"events"`
	kinds
	Logon *attribute[logon] `attribute:"logon"`
}
