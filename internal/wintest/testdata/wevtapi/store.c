#include "double.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void path_of(const char *channel, char *path, size_t size) {
	size_t n = snprintf(path, size, "C:\\wevt\\");
	for (; *channel && n + 8 < size; channel++) {
		if (*channel == '/') path[n++] = '%', path[n++] = '4';
		else path[n++] = *channel;
	}
	strcpy(path + n, ".xml");
}

// contents returns a whole file, to be freed. It is opened so that others may write, rename and remove it.
static char *contents(const char *path, size_t *size) {
	wchar_t name[600];
	text_utf16(path, name, 600);
	HANDLE f = CreateFileW(name, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
	if (f == INVALID_HANDLE_VALUE) return NULL;
	DWORD n = GetFileSize(f, NULL), got = 0;
	char *text = malloc(n + 1);
	if (!ReadFile(f, text, n, &got, NULL)) got = 0;
	CloseHandle(f);
	text[got] = 0;
	if (size) *size = got;
	return text;
}

char *store_read(const char *name, size_t *size) {
	char path[300];
	snprintf(path, sizeof path, "C:\\wevt\\%s", name);
	return contents(path, size);
}

// stamp is another one when the file is another one.
static unsigned long long stamp(const char *channel) {
	char path[500];
	wchar_t name[500];
	WIN32_FILE_ATTRIBUTE_DATA d;
	path_of(channel, path, sizeof path);
	text_utf16(path, name, 500);
	if (!GetFileAttributesExW(name, GetFileExInfoStandard, &d)) return 0;
	unsigned long long at = ((unsigned long long)d.ftLastWriteTime.dwHighDateTime << 32) | d.ftLastWriteTime.dwLowDateTime;
	return at * 1000003 + d.nFileSizeLow + 1;
}

int store_changed(const char *channel, const events *e) { return stamp(channel) != e->stamp; }

int store_load(const char *channel, events *e) {
	char path[500];
	memset(e, 0, sizeof *e);
	e->stamp = stamp(channel);
	path_of(channel, path, sizeof path);
	char *text = contents(path, NULL);
	if (!text) return 0;
	for (const char *s = text; (s = strstr(s, "<Event "));) {
		const char *begin = s;
		node *tree = xml_parse(&s);
		if (!tree) break;
		const node *id = xml_child(xml_child(tree, "System"), "EventRecordID");
		e->events = realloc(e->events, (e->count + 1) * sizeof *e->events);
		event *one = &e->events[e->count++];
		one->text = malloc(s - begin + 1);
		memcpy(one->text, begin, s - begin);
		one->text[s - begin] = 0;
		one->tree = tree;
		one->id = id ? strtoull(id->text, NULL, 10) : 0;
	}
	free(text);
	return 1;
}

void store_free(events *e) {
	for (int i = 0; i < e->count; i++) {
		free(e->events[i].text);
		xml_free(e->events[i].tree);
	}
	free(e->events);
	memset(e, 0, sizeof *e);
}
