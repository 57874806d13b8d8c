package testserver

// smtpConfiguration is Exim's, a text/template. It knows no way out: its one transport writes into a folder.
const smtpConfiguration = `
primary_hostname = mail.test
exim_user = {{.User}}
exim_group = {{.Group}}
{{if not .Root}}deliver_drop_privilege{{end}}
spool_directory = {{.Folder}}/spool
log_file_path = {{.Folder}}/log/%slog
pid_file_path = {{.Folder}}/log/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {{.Port}} : {{.TLSPort}}
tls_on_connect_ports = {{.TLSPort}}
tls_advertise_hosts = *
tls_certificate = {{.Folder}}/cert.pem
tls_privatekey = {{.Folder}}/key.pem
acl_smtp_rcpt = recipient
smtp_accept_max_per_connection = {{.Many}}
smtp_accept_queue_per_connection = 0
smtp_accept_max = 0
host_lookup =
rfc1413_hosts =
disable_ipv6
keep_environment =
qualify_domain = test
queue_only = false

begin acl
recipient:
  deny local_parts = refused
       message = no such mailbox
  defer local_parts = later
       message = try again later
{{- if .Username}}
  accept authenticated = *
  deny message = log in first
{{- else}}
  accept
{{- end}}

begin routers
all:
  driver = accept
  transport = folder

begin transports
folder:
  driver = appendfile
  directory = {{.Folder}}/mail
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
{{- if .Root}}
  user = {{.User}}
{{- end}}

begin authenticators
{{- if .Plain}}
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{ {eq{$auth2}{ {{- .Username -}} }} {eq{$auth3}{ {{- .Password -}} }} }}
  server_set_id = $auth2
  server_advertise_condition = ${if def:tls_in_cipher}
{{- end}}
{{- if .Login}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{ {eq{$auth1}{ {{- .Username -}} }} {eq{$auth2}{ {{- .Password -}} }} }}
  server_set_id = $auth1
  server_advertise_condition = ${if def:tls_in_cipher}
{{- end}}
`
