// A double of wevtapi.dll, for tests under Wine, whose own DLL has no event log behind its functions.
//
// It serves the logs in C:\wevt, a file a channel: Security.xml holds the events of Security, one <Event>…</Event> behind
// the other, in UTF-8 and in the order of their record ids. Half of a surrogate pair may stand there as three bytes. The
// files are read anew when they change, so a test can write, rotate and clear a log that is being read. "/" in a channel's name
// is "%4" in the file's.
//
// It follows Microsoft's documentation of each function: return values, last errors, sizes of buffers in bytes or in
// characters, a handle for each event. C:\wevt\modes.txt has it fail: see modes.c.
#ifndef DOUBLE_H
#define DOUBLE_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

// Of winerror.h, which older copies of mingw's lack.
enum {
	EVT_INVALID_CHANNEL_PATH = 15000,
	EVT_INVALID_QUERY = 15001,
	EVT_PUBLISHER_METADATA_NOT_FOUND = 15002,
	EVT_CHANNEL_NOT_FOUND = 15007,
	EVT_MALFORMED_XML_TEXT = 15008,
	EVT_QUERY_RESULT_STALE = 15011,
	EVT_QUERY_RESULT_INVALID_POSITION = 15012,
	EVT_MESSAGE_NOT_FOUND = 15027,
	EVT_UNRESOLVED_VALUE_INSERT = 15029,
};

// xml.c: a document as elements with attributes, children and texts.
typedef struct attribute {
	char *name, *value;
	struct attribute *next;
} attribute;
typedef struct node {
	char *name, *text;
	attribute *attributes;
	struct node *children, *next;
} node;
node *xml_parse(const char **at); // the element that begins there, or NULL; moves behind it
void xml_free(node *n);
const char *xml_attribute(const node *n, const char *name);
node *xml_child(const node *n, const char *name);

// xpath.c: the XPath of the event log. Returns 1, 0, or -1 where it is malformed or has more than 20 expressions.
int xpath_selects(const char *xpath, const node *event);

// store.c: the files.
typedef struct {
	char *text; // the event, as the file has it
	node *tree;
	unsigned long long id;
} event;
typedef struct {
	event *events;
	int count;
	unsigned long long stamp; // of the file
} events;
int store_load(const char *channel, events *e); // 0: there is no such channel
int store_changed(const char *channel, const events *e);
void store_free(events *e);
char *store_read(const char *name, size_t *size); // a file in C:\wevt

// text.c
char *text_utf8(const wchar_t *w);
int text_utf16(const char *s, wchar_t *out, int size); // returns the length with its NUL; writes no more than fits

// modes.c
int mode_fails(const char *function, DWORD *code); // whether this call is to fail
unsigned mode_batch(void);                          // how many events EvtNext gives at most; 0: any number
unsigned mode_calls(const char *function);

#endif
