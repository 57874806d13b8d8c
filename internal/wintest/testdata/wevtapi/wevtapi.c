#include "double.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a handle is of.
enum { RESULTS = 0x52455355, EVENT = 0x45564e54, BOOKMARK = 0x424d4b00, LOG = 0x4c4f4700, PUBLISHER = 0x50554200 };

typedef struct {
	int kind;
	char *channel;
	// of results
	events log;
	char *query;
	int structured, reverse;
	unsigned long long last; // the id of the record behind which it stands; 0: it stands at the first
	// of an event, a bookmark (id alone) and a publisher (text alone)
	char *text;
	unsigned long long id;
} object;

static LONG open_handles;

#define EXPORT __declspec(dllexport)

static int fail(DWORD code) { return SetLastError(code), 0; }

// succeed leaves rubbish as the last error: a success says nothing of it.
static int succeed(void) { return SetLastError(0xdead), 1; }

static object *create(int kind) {
	object *o = calloc(1, sizeof *o);
	o->kind = kind;
	InterlockedIncrement(&open_handles);
	return o;
}

static void destroy(object *o) {
	store_free(&o->log);
	free(o->channel);
	free(o->query);
	free(o->text);
	o->kind = 0; // and stays, so that a handle that is closed is known as such
	InterlockedDecrement(&open_handles);
}

static int is(object *o, int kind) { return o && o->kind == kind; }

// one reports whether a structured query selects an event: -1 where it is malformed. It finds the channel too.
static int structured(const char *query, const node *event, char **channel) {
	const char *at = query;
	int selected = 0, bad = 0, any = 0;
	while (*at && *at != '<') at++;
	node *list = xml_parse(&at);
	if (!list || strcmp(list->name, "QueryList")) return xml_free(list), -1;
	for (const node *q = list->children; q; q = q->next) {
		for (const node *s = q->children; s; s = s->next) {
			const char *path = xml_attribute(s, "Path");
			if (!path) path = xml_attribute(q, "Path");
			if (path && channel && !*channel) *channel = _strdup(path);
			int is = path ? xpath_selects(s->text, event) : -1;
			if (is < 0) bad = 1;
			if (!strcmp(s->name, "Select")) any = 1, selected = selected || is > 0;
		}
		for (const node *s = q->children; s; s = s->next)
			if (!strcmp(s->name, "Suppress") && xpath_selects(s->text, event) > 0) selected = 0;
	}
	xml_free(list);
	return bad || !any ? -1 : selected;
}

static int selects(const object *o, const node *event) {
	return o->structured ? structured(o->query, event, NULL) : xpath_selects(o->query, event);
}

EXPORT object *WINAPI EvtQuery(void *session, const wchar_t *path, const wchar_t *query, DWORD flags) {
	DWORD code;
	if (mode_fails("EvtQuery", &code)) return fail(code), NULL;
	if (session || !(flags & 1) || ((flags & 0x300) != 0x100 && (flags & 0x300) != 0x200)) return fail(ERROR_INVALID_PARAMETER), NULL;
	object *o = create(RESULTS);
	o->query = query ? text_utf8(query) : _strdup("*");
	o->reverse = (flags & 0x200) != 0;
	o->structured = strstr(o->query, "<QueryList") != NULL;
	if (path) o->channel = text_utf8(path);
	int taken = o->structured ? structured(o->query, NULL, &o->channel) : xpath_selects(o->query, NULL);
	code = 0;
	if (taken < 0) code = EVT_INVALID_QUERY;
	else if (!o->channel) code = ERROR_INVALID_PARAMETER;
	else if (strpbrk(o->channel, "\"<>|*?")) code = EVT_INVALID_CHANNEL_PATH;
	else if (!store_load(o->channel, &o->log)) code = EVT_CHANNEL_NOT_FOUND;
	if (code) return destroy(o), fail(code), NULL;
	return succeed(), o;
}

// refresh reads a log anew that has changed. Results that stand behind a record that is gone are stale.
static int refresh(object *o) {
	if (!store_changed(o->channel, &o->log)) return 1;
	store_free(&o->log);
	if (!store_load(o->channel, &o->log)) return 0;
	for (int i = 0; i < o->log.count && o->last; i++)
		if (o->log.events[i].id == o->last) return 1;
	return !o->last;
}

EXPORT BOOL WINAPI EvtNext(object *o, DWORD size, object **out, DWORD timeout, DWORD flags, DWORD *returned) {
	DWORD code;
	if (mode_fails("EvtNext", &code)) return fail(code);
	if (!is(o, RESULTS)) return fail(ERROR_INVALID_HANDLE);
	if (!size || !out || !returned || flags) return fail(ERROR_INVALID_PARAMETER);
	*returned = 0;
	if (!refresh(o)) return fail(EVT_QUERY_RESULT_STALE);
	unsigned most = mode_batch();
	for (int k = 0; k < o->log.count && *returned < size; k++) {
		event *e = &o->log.events[o->reverse ? o->log.count - 1 - k : k];
		if (o->last && (o->reverse ? e->id >= o->last : e->id <= o->last)) continue;
		if (selects(o, e->tree) != 1) continue;
		o->last = e->id;
		if (most && size > most) { // the position moves all the same
			++*returned;
			continue;
		}
		object *one = create(EVENT);
		one->text = _strdup(e->text);
		one->id = e->id;
		out[(*returned)++] = one;
	}
	if (most && size > most && *returned) return *returned = 0, fail(RPC_S_INVALID_BOUND);
	return *returned ? succeed() : fail(ERROR_NO_MORE_ITEMS);
}

EXPORT object *WINAPI EvtCreateBookmark(const wchar_t *xml) {
	DWORD code;
	if (mode_fails("EvtCreateBookmark", &code)) return fail(code), NULL;
	char *text = xml ? text_utf8(xml) : _strdup("");
	const char *at = text;
	node *list = xml_parse(&at), *mark = xml_child(list, "Bookmark");
	const char *channel = mark ? xml_attribute(mark, "Channel") : NULL, *id = mark ? xml_attribute(mark, "RecordId") : NULL;
	object *o = NULL;
	if (channel && id) {
		o = create(BOOKMARK);
		o->channel = _strdup(channel);
		o->id = strtoull(id, NULL, 10);
	}
	xml_free(list);
	free(text);
	return o ? succeed() : fail(ERROR_INVALID_PARAMETER), o;
}

// EvtSeek knows a bookmark as its origin, with or without EvtSeekStrict. Without, it goes to the record next to it.
EXPORT BOOL WINAPI EvtSeek(object *o, LONGLONG position, object *bookmark, DWORD timeout, DWORD flags) {
	enum { ORIGIN = 7, TO_BOOKMARK = 4, STRICT_ = 0x10000 };
	DWORD code;
	if (mode_fails("EvtSeek", &code)) return fail(code);
	if (!is(o, RESULTS)) return fail(ERROR_INVALID_HANDLE);
	if ((flags & ORIGIN) != TO_BOOKMARK || position || timeout || !is(bookmark, BOOKMARK)) return fail(ERROR_INVALID_PARAMETER);
	if (o->reverse || _stricmp(o->channel, bookmark->channel)) return fail(EVT_QUERY_RESULT_INVALID_POSITION);
	unsigned long long before = 0;
	for (int i = 0; i < o->log.count; i++) {
		event *e = &o->log.events[i];
		if (selects(o, e->tree) != 1) continue;
		if (e->id == bookmark->id || (e->id > bookmark->id && !(flags & STRICT_))) return o->last = before, succeed();
		if (e->id > bookmark->id) break;
		before = e->id;
	}
	return fail(ERROR_NOT_FOUND);
}

EXPORT BOOL WINAPI EvtRender(void *context, object *o, DWORD flags, DWORD size, void *buffer, DWORD *used, DWORD *properties) {
	DWORD code;
	if (mode_fails("EvtRender", &code)) return fail(code);
	if (!is(o, EVENT)) return fail(ERROR_INVALID_HANDLE);
	if (flags != 1 || context || !used || !properties || (size && !buffer)) return fail(ERROR_INVALID_PARAMETER);
	*properties = 0;
	*used = 2 * text_utf16(o->text, NULL, 0);
	if (size < *used) return fail(ERROR_INSUFFICIENT_BUFFER);
	text_utf16(o->text, buffer, size / 2);
	return succeed();
}

EXPORT object *WINAPI EvtOpenLog(void *session, const wchar_t *path, DWORD flags) {
	DWORD code;
	if (mode_fails("EvtOpenLog", &code)) return fail(code), NULL;
	if (session || flags != 1 || !path) return fail(ERROR_INVALID_PARAMETER), NULL;
	object *o = create(LOG);
	o->channel = text_utf8(path);
	if (!store_load(o->channel, &o->log)) return destroy(o), fail(EVT_CHANNEL_NOT_FOUND), NULL;
	return succeed(), o;
}

// EvtGetLogInfo writes an EVT_VARIANT, whose type 10 is an UInt64.
EXPORT BOOL WINAPI EvtGetLogInfo(object *o, DWORD property, DWORD size, void *value, DWORD *used) {
	enum { RECORDS = 5, OLDEST = 6, UINT64_TYPE = 10 };
	struct { ULONGLONG value; DWORD count, type; } v = {.type = UINT64_TYPE};
	DWORD code;
	if (mode_fails("EvtGetLogInfo", &code)) return fail(code);
	if (!is(o, LOG)) return fail(ERROR_INVALID_HANDLE);
	if (!used || (property != RECORDS && property != OLDEST)) return fail(ERROR_INVALID_PARAMETER);
	*used = sizeof v;
	if (size < sizeof v) return fail(ERROR_INSUFFICIENT_BUFFER);
	if (property == RECORDS) v.value = o->log.count;
	else if (o->log.count) v.value = o->log.events[0].id;
	memcpy(value, &v, sizeof v);
	return succeed();
}

// EvtOpenPublisherMetadata knows every publisher but those whose names begin with "Unknown".
EXPORT object *WINAPI EvtOpenPublisherMetadata(void *session, const wchar_t *publisher, const wchar_t *file, DWORD locale, DWORD flags) {
	DWORD code;
	if (mode_fails("EvtOpenPublisherMetadata", &code)) return fail(code), NULL;
	char *name = publisher ? text_utf8(publisher) : NULL;
	if (!name || !strncmp(name, "Unknown", 7)) return free(name), fail(EVT_PUBLISHER_METADATA_NOT_FOUND), NULL;
	object *o = create(PUBLISHER);
	o->text = name;
	return succeed(), o;
}

// EvtFormatMessage says "Event ID of PUBLISHER.", and of the keywords "Audit Success" and "Classic". The message of an
// event whose id ends in 7 has an insert that can't be resolved; one with the id 1000 has none, one with 1001 a long one.
EXPORT BOOL WINAPI EvtFormatMessage(object *publisher, object *o, DWORD id, DWORD count, void *values, DWORD flags, DWORD size,
	wchar_t *buffer, DWORD *used) {
	enum { MESSAGE = 1, KEYWORDS = 5, LONG_MESSAGE = 5000 };
	char text[LONG_MESSAGE + 300];
	wchar_t wide[LONG_MESSAGE + 300];
	DWORD code;
	if (mode_fails("EvtFormatMessage", &code)) return fail(code);
	if (!is(publisher, PUBLISHER) || !is(o, EVENT)) return fail(ERROR_INVALID_HANDLE);
	if ((flags != MESSAGE && flags != KEYWORDS) || !used || id || count || values) return fail(ERROR_INVALID_PARAMETER);
	const char *at = o->text;
	node *tree = xml_parse(&at);
	const node *number = xml_child(xml_child(tree, "System"), "EventID");
	unsigned event_id = number ? atoi(number->text) : 0;
	xml_free(tree);
	if (event_id == 1000) return fail(EVT_MESSAGE_NOT_FOUND);
	int n = snprintf(text, sizeof text, "Event %u of %.200s.\r\n", event_id, publisher->text);
	if (event_id == 1001) memset(text + n, 'x', LONG_MESSAGE), text[n + LONG_MESSAGE] = 0;
	DWORD needed = text_utf16(text, wide, sizeof wide / sizeof *wide);
	if (flags == KEYWORDS) {
		static const wchar_t keywords[] = L"Audit Success\0Classic\0";
		needed = sizeof keywords / sizeof *keywords;
		memcpy(wide, keywords, sizeof keywords);
	}
	*used = needed;
	if (size < needed) return fail(ERROR_INSUFFICIENT_BUFFER);
	memcpy(buffer, wide, needed * sizeof *wide);
	return flags == MESSAGE && event_id % 10 == 7 ? fail(EVT_UNRESOLVED_VALUE_INSERT) : succeed();
}

EXPORT BOOL WINAPI EvtClose(object *o) {
	if (!o || !(is(o, RESULTS) || is(o, EVENT) || is(o, BOOKMARK) || is(o, LOG) || is(o, PUBLISHER))) return fail(ERROR_INVALID_HANDLE);
	destroy(o);
	return succeed();
}

// DoubleOpen and DoubleCalls are for tests: how many handles are open, and how often a function was called since modes.txt changed.
EXPORT DWORD WINAPI DoubleOpen(void) { return open_handles; }
EXPORT DWORD WINAPI DoubleCalls(const char *function) { return mode_calls(function); }

// At its end a process that left handles open says so in C:\wevt\open.txt.
BOOL WINAPI DllMain(HINSTANCE instance, DWORD why, void *reserved) {
	if (why == DLL_PROCESS_DETACH && open_handles) {
		FILE *f = fopen("C:\\wevt\\open.txt", "ab");
		if (f) fprintf(f, "%ld\n", open_handles), fclose(f);
	}
	return TRUE;
}
