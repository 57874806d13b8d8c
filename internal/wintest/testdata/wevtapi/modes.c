#include "double.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// C:\wevt\modes.txt, a mode a line:
//
//	FUNCTION CODE SKIP TIMES   the calls of FUNCTION after the first SKIP fail with CODE as the last error, TIMES of them (0: all)
//	batch N                    EvtNext gives N events at most; asked for more it fails with 1734, and moves on
//
// It is read anew with each EvtQuery; if it has changed, counting begins anew.
enum { MOST = 20 };
static struct { char function[40]; unsigned code, skip, times, calls; } modes[MOST];
static int count;
static unsigned batch;
static char *current;
static struct { char function[40]; unsigned calls; } calls[MOST];

static void read_modes(void) {
	char *text = store_read("modes.txt", NULL);
	if (!text) text = calloc(1, 1);
	if (current && !strcmp(text, current)) { free(text); return; }
	free(current);
	current = text;
	count = 0;
	batch = 0;
	memset(calls, 0, sizeof calls);
	for (const char *line = text; line && *line && count < MOST; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		memset(&modes[count], 0, sizeof *modes);
		if (sscanf(line, "batch %u", &batch) == 1) continue;
		if (sscanf(line, "%39s %u %u %u", modes[count].function, &modes[count].code, &modes[count].skip, &modes[count].times) == 4) count++;
	}
}

int mode_fails(const char *function, DWORD *code) {
	if (!current || !strcmp(function, "EvtQuery")) read_modes();
	for (int i = 0; i < MOST; i++) {
		if (!*calls[i].function) strcpy(calls[i].function, function);
		if (!strcmp(calls[i].function, function)) { calls[i].calls++; break; }
	}
	for (int i = 0; i < count; i++) {
		if (strcmp(modes[i].function, function)) continue;
		unsigned n = modes[i].calls++;
		if (n < modes[i].skip || (modes[i].times && n >= modes[i].skip + modes[i].times)) continue;
		*code = modes[i].code;
		return 1;
	}
	return 0;
}

unsigned mode_batch(void) { return batch; }

unsigned mode_calls(const char *function) {
	for (int i = 0; i < MOST; i++)
		if (!strcmp(calls[i].function, function)) return calls[i].calls;
	return 0;
}
