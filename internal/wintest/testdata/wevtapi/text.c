#include "double.h"
#include <stdlib.h>

char *text_utf8(const wchar_t *w) {
	int n = WideCharToMultiByte(CP_UTF8, 0, w, -1, NULL, 0, NULL, NULL);
	char *s = malloc(n + 1);
	WideCharToMultiByte(CP_UTF8, 0, w, -1, s, n, NULL, NULL);
	return s;
}

// Windows's own function would replace the halves of surrogate pairs.
int text_utf16(const char *s, wchar_t *out, int size) {
	const unsigned char *u = (const unsigned char *)s;
	int n = 0;
	for (;;) {
		unsigned long c = *u++;
		int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
		if (more) c &= 0x3f >> more;
		while (more-- > 0 && (*u & 0xc0) == 0x80) c = c << 6 | (*u++ & 0x3f);
		if (c >= 0x10000) {
			if (n < size) out[n] = 0xd800 + ((c - 0x10000) >> 10);
			n++;
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		if (n < size) out[n] = c;
		n++;
		if (c == 0) return n;
	}
}
