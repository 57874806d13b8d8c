package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"muster/internal/report"
)

// maxData bounds the names and values of one record's data, in bytes.
const maxData = 256 << 10

// encodeFields writes a record's data in JSON: as an object, so that SQL gets at a value by its name,
//
//	{"TargetUserName":"ann","":["first without a name","second"]}
//
// in which a name that occurs several times has all its values in an array. Where fields of the same name have others
// between them this would not tell their order, and they are an array of pairs instead:
//
//	[["a","1"],["b","2"],["a","3"]]
//
// altered says that a text was cleaned or cut, or that fields were left out because they would not fit.
func encodeFields(fields []report.Field) (text string, altered bool) {
	if len(fields) == 0 {
		return "{}", false
	}
	clean := make([]report.Field, 0, len(fields))
	room, size := maxData, 2
	for _, f := range fields {
		name := key(f.Name, report.MaxWord)
		if room -= len(name); room < len(mark) {
			altered = true
			break
		}
		value := prose(f.Value, min(report.MaxField, room))
		altered = altered || value != f.Value || name != f.Name
		room -= len(value)
		size += len(name) + len(value) + 8
		clean = append(clean, report.Field{Name: name, Value: value})
	}
	b := make([]byte, 0, size)
	if together(clean) {
		b = appendObject(b, clean)
	} else {
		b = appendPairs(b, clean)
	}
	return string(b), altered
}

// together says that all fields of one name follow one another.
func together(fields []report.Field) bool {
	if len(fields) <= 8 { // a few are compared faster than they are hashed
		for i := range fields {
			for j := range max(i-1, 0) {
				if fields[j].Name == fields[i].Name && fields[i-1].Name != fields[i].Name {
					return false
				}
			}
		}
		return true
	}
	seen := make(map[string]struct{}, len(fields))
	for i := range fields {
		if i > 0 && fields[i-1].Name == fields[i].Name {
			continue
		}
		if _, ok := seen[fields[i].Name]; ok {
			return false
		}
		seen[fields[i].Name] = struct{}{}
	}
	return true
}

func appendObject(b []byte, fields []report.Field) []byte {
	b = append(b, '{')
	for i := 0; i < len(fields); {
		end := i + 1
		for end < len(fields) && fields[end].Name == fields[i].Name {
			end++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, fields[i].Name), ':')
		if end == i+1 {
			b = appendJSON(b, fields[i].Value)
		} else {
			for j, f := range fields[i:end] {
				b = append(b, "[,"[min(j, 1)])
				b = appendJSON(b, f.Value)
			}
			b = append(b, ']')
		}
		i = end
	}
	return append(b, '}')
}

func appendPairs(b []byte, fields []report.Field) []byte {
	for i, f := range fields {
		b = append(b, "[,"[min(i, 1)], '[')
		b = append(appendJSON(b, f.Name), ',')
		b = append(appendJSON(b, f.Value), ']')
	}
	return append(b, ']')
}

// appendJSON appends a text, which is UTF-8, as a JSON string (RFC 8259, section 7). Only what must be is escaped, so that
// a text is found in it as it is.
func appendJSON(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	plain := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, text[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, text[plain:]...), '"')
}

var errFields = errors.New("the data of a log record are not as this program writes them")

// decodeFields is the reverse of encodeFields.
func decodeFields(text string) ([]report.Field, error) {
	if text == "{}" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	var fields []report.Field
	var err error
	if text != "" && text[0] == '[' {
		var pairs [][2]string
		err = d.Decode(&pairs)
		for _, p := range pairs {
			fields = append(fields, report.Field{Name: p[0], Value: p[1]})
		}
	} else {
		fields, err = decodeObject(d)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFields, err)
	}
	return fields, nil
}

func decodeObject(d *json.Decoder) ([]report.Field, error) {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("no object"), err)
	}
	var fields []report.Field
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // the decoder allows nothing else here
		t, err = d.Token()
		if err != nil {
			return nil, err
		}
		switch value := t.(type) {
		case string:
			fields = append(fields, report.Field{Name: name, Value: value})
		case json.Delim:
			for d.More() {
				var one string
				if err := d.Decode(&one); err != nil {
					return nil, err
				}
				fields = append(fields, report.Field{Name: name, Value: one})
			}
			if _, err := d.Token(); err != nil {
				return nil, err
			}
		default:
			return nil, errors.New("a value is no text")
		}
	}
	_, err := d.Token()
	return fields, err
}
