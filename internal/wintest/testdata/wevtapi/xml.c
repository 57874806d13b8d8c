#include "double.h"
#include <stdlib.h>
#include <string.h>

static char *copy(const char *s, size_t n) {
	char *c = malloc(n + 1);
	memcpy(c, s, n);
	c[n] = 0;
	return c;
}

// decoded is a copy without XML's five references; others stay as they are.
static char *decoded(const char *s, size_t n) {
	static const struct { const char *reference; char is; } all[] = {
		{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&#34;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}};
	char *c = malloc(n + 1), *to = c;
	for (size_t i = 0; i < n;) {
		size_t length = 0;
		for (size_t k = 0; s[i] == '&' && k < sizeof all / sizeof *all && !length; k++) {
			size_t l = strlen(all[k].reference);
			if (n - i >= l && !memcmp(s + i, all[k].reference, l)) {
				*to++ = all[k].is;
				length = l;
			}
		}
		if (length) i += length;
		else *to++ = s[i++];
	}
	*to = 0;
	return c;
}

static int blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static int named(char c) { return c && !blank(c) && !strchr("=/><\"'", c); }

// opening reads a start tag. Returns -1 where it is malformed, 1 where the element is empty.
static int opening(const char **at, node *n) {
	const char *s = *at + 1, *begin = s;
	attribute **last = &n->attributes;
	while (named(*s)) s++;
	if (s == begin) return -1;
	n->name = copy(begin, s - begin);
	for (;;) {
		while (blank(*s)) s++;
		if (*s == '>') return *at = s + 1, 0;
		if (s[0] == '/' && s[1] == '>') return *at = s + 2, 1;
		begin = s;
		while (named(*s)) s++;
		const char *end = s;
		if (end == begin || *s != '=' || (s[1] != '"' && s[1] != '\'')) return -1;
		const char *close = strchr(s + 2, s[1]);
		if (!close) return -1;
		attribute *a = calloc(1, sizeof *a);
		a->name = copy(begin, end - begin);
		a->value = decoded(s + 2, close - s - 2);
		*last = a;
		last = &a->next;
		s = close + 1;
	}
}

node *xml_parse(const char **at) {
	node *n = calloc(1, sizeof *n), **last = &n->children;
	int empty = **at == '<' ? opening(at, n) : -1;
	if (empty < 0) return xml_free(n), NULL;
	const char *text = *at;
	while (!empty) {
		const char *s = strchr(*at, '<');
		if (!s) return xml_free(n), NULL;
		if (s[1] == '/') {
			if (!n->children) n->text = decoded(text, s - text);
			s = strchr(s, '>');
			if (!s) return xml_free(n), NULL;
			*at = s + 1;
			break;
		}
		*at = s;
		if (!(*last = xml_parse(at))) return xml_free(n), NULL;
		last = &(*last)->next;
	}
	if (!n->text) n->text = copy("", 0);
	return n;
}

void xml_free(node *n) {
	while (n) {
		node *next = n->next;
		for (attribute *a = n->attributes, *b; a; a = b) {
			b = a->next;
			free(a->name);
			free(a->value);
			free(a);
		}
		xml_free(n->children);
		free(n->name);
		free(n->text);
		free(n);
		n = next;
	}
}

const char *xml_attribute(const node *n, const char *name) {
	for (const attribute *a = n->attributes; a; a = a->next)
		if (!strcmp(a->name, name)) return a->value;
	return NULL;
}

node *xml_child(const node *n, const char *name) {
	for (node *c = n ? n->children : NULL; c; c = c->next)
		if (!strcmp(c->name, name)) return c;
	return NULL;
}
