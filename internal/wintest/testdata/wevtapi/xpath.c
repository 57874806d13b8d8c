#include "double.h"
#include <stdlib.h>
#include <string.h>

// "Consuming Events" of Microsoft's documentation says what the event log takes of XPath 1.0: paths that begin with "*" or
// "Event", children and attributes, predicates, comparisons, "and", "or", parentheses, band().
enum { MOST_EXPRESSIONS = 20, MOST_VALUES = 100 };

typedef struct {
	const char *at;
	int bad, expressions;
	const char *values[MOST_VALUES]; // what the last path found
	int count;
} parser;

static int either(parser *p, const node *context);

static void space(parser *p) {
	while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t') p->at++;
}

static int take(parser *p, const char *token) {
	space(p);
	size_t n = strlen(token);
	if (strncmp(p->at, token, n)) return 0;
	p->at += n;
	return 1;
}

static int is_name(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static int word(parser *p, const char *token) {
	const char *before = p->at;
	if (take(p, token) && !is_name(*p->at)) return 1;
	p->at = before;
	return 0;
}

static void found(parser *p, const char *value) {
	if (p->count < MOST_VALUES) p->values[p->count++] = value;
}

// step reads one step of a path and all that follow, from an element (NULL: nothing is found), and gathers the values.
static void step(parser *p, const node *context) {
	int of_attribute = take(p, "@");
	space(p);
	const char *name = p->at;
	if (*p->at == '*') p->at++;
	else while (is_name(*p->at)) p->at++;
	size_t n = p->at - name;
	if (n == 0) { p->bad = 1; return; }
	if (of_attribute) {
		for (const attribute *a = context ? context->attributes : NULL; a; a = a->next)
			if (*name == '*' || (strlen(a->name) == n && !memcmp(a->name, name, n))) found(p, a->value);
		return;
	}
	const char *rest = p->at;
	const node *child = context ? context->children : NULL;
	for (;; child = child->next) { // and once for nothing, which moves behind the path
		while (child && *name != '*' && (strlen(child->name) != n || memcmp(child->name, name, n))) child = child->next;
		int expressions = p->expressions, selected = child != NULL;
		p->at = rest;
		while (!p->bad && take(p, "[")) {
			parser inner = {.at = p->at, .expressions = p->expressions};
			int is = either(&inner, selected ? child : NULL);
			selected = selected && is;
			p->at = inner.at;
			p->expressions = inner.expressions;
			if (inner.bad || !take(p, "]")) p->bad = 1;
		}
		if (!p->bad && take(p, "/")) step(p, selected ? child : NULL);
		else if (selected) found(p, child->text);
		if (!child || p->bad) return;
		p->expressions = expressions;
	}
}

static int compare(const char *value, const char *operator, const char *literal, int number) {
	double difference = number ? strtod(value, NULL) - strtod(literal, NULL) : strcmp(value, literal);
	if (number && (!*value || strspn(value, "0123456789.-") != strlen(value))) return 0;
	switch (operator[0]) {
	case '=': return difference == 0;
	case '!': return difference != 0;
	case '<': return operator[1] ? difference <= 0 : difference < 0;
	}
	return operator[1] ? difference >= 0 : difference > 0;
}

// literal reads a text or a number. It is to be freed.
static char *literal(parser *p, int *number) {
	space(p);
	const char *begin = p->at, *end;
	*number = *begin != '\'' && *begin != '"';
	if (*number) {
		end = begin + strspn(begin, "0123456789.-");
		p->at = end;
	} else {
		char quote = *begin++;
		end = strchr(begin, quote);
		if (!end) { p->bad = 1; return NULL; }
		p->at = end + 1;
	}
	if (*number && end == begin) { p->bad = 1; return NULL; }
	char *text = malloc(end - begin + 1);
	memcpy(text, begin, end - begin);
	text[end - begin] = 0;
	return text;
}

static int band(parser *p, const node *context) {
	int number, result = 0;
	p->count = 0;
	step(p, context);
	if (p->bad || !take(p, ",")) return p->bad = 1, 0;
	char *mask = literal(p, &number);
	if (!mask || !take(p, ")")) p->bad = 1;
	for (int i = 0; mask && i < p->count; i++)
		if (strtoull(p->values[i], NULL, 0) & strtoull(mask, NULL, 0)) result = 1;
	free(mask);
	return result;
}

static int primary(parser *p, const node *context) {
	if (take(p, "(")) {
		int result = either(p, context);
		if (!take(p, ")")) p->bad = 1;
		return result;
	}
	if (take(p, "band(")) return p->expressions++, band(p, context);
	p->count = 0;
	step(p, context);
	static const char *operators[] = {"<=", ">=", "!=", "=", "<", ">"};
	for (int i = 0; !p->bad && i < 6; i++) {
		if (!take(p, operators[i])) continue;
		int number, result = 0;
		char *right = literal(p, &number);
		p->expressions++;
		for (int k = 0; right && k < p->count; k++)
			if (compare(p->values[k], operators[i], right, number)) result = 1;
		free(right);
		return result;
	}
	return p->count > 0;
}

static int both(parser *p, const node *context) {
	int result = primary(p, context);
	while (!p->bad && word(p, "and")) {
		int right = primary(p, context);
		result = result && right;
	}
	return result;
}

static int either(parser *p, const node *context) {
	int result = both(p, context);
	while (!p->bad && word(p, "or")) {
		int right = both(p, context);
		result = result || right;
	}
	return result;
}

int xpath_selects(const char *xpath, const node *event) {
	node *tree = (node *)event, root = {.children = tree};
	parser p = {.at = xpath};
	space(&p);
	if (*p.at != '*' && *p.at != '(' && strncmp(p.at, "Event", 5)) return -1;
	int result = either(&p, event ? &root : NULL);
	space(&p);
	if (p.bad || *p.at || p.expressions > MOST_EXPRESSIONS) return -1;
	return result;
}
