package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// kind is what a node is.
type kind int

const (
	null kind = iota
	scalar
	list
	object
	vault // a value that Ansible Vault encrypted
)

// node is a value of JSON or YAML, with what an object holds in its order.
type node struct {
	kind   kind
	text   string // of a scalar
	line   int
	keys   []string // of an object
	values []*node  // of a list or an object
	index  map[string]int
}

// get returns what an object holds under a key; nil where it is none or holds none.
func (n *node) get(key string) *node {
	if n != nil {
		if i, ok := n.index[key]; ok {
			return n.values[i]
		}
	}
	return nil
}

// put sets what an object holds under a key; what was there is forgotten.
func (n *node) put(key string, value *node) {
	if i, ok := n.index[key]; ok {
		n.values[i] = value
		return
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[key] = len(n.keys)
	n.keys = append(n.keys, key)
	n.values = append(n.values, value)
}

// readJSON reads one JSON value; lines are those of the text.
func readJSON(content []byte) (*node, error) {
	r := &jsonReader{content: content, decoder: json.NewDecoder(bytes.NewReader(content)), line: 1}
	r.decoder.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, r.fail(errors.New("something follows the JSON value"))
	}
	return n, nil
}

type jsonReader struct {
	content []byte
	decoder *json.Decoder
	line    int // of offset at
	at      int64
}

// here returns the line that the decoder is at.
func (r *jsonReader) here() int {
	at := min(r.decoder.InputOffset(), int64(len(r.content)))
	r.line += bytes.Count(r.content[r.at:at], []byte("\n"))
	r.at = at
	return r.line
}

func (r *jsonReader) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	return &Error{Line: r.here(), Message: "not JSON: " + plain(err.Error())}
}

func (r *jsonReader) value(depth int) (*node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, r.fail(err)
	}
	if depth > deepest {
		return nil, &Error{Line: r.here(), Message: fmt.Sprintf("nested more than %d deep", deepest)}
	}
	n := &node{kind: scalar, line: r.here()}
	switch token := token.(type) {
	case nil:
		n.kind = null
	case string:
		n.text = token
	case json.Number:
		n.text = token.String()
	case bool:
		n.text = strconv.FormatBool(token)
	case json.Delim:
		if token == '[' {
			n.kind = list
		} else {
			n.kind = object
		}
		return n, r.members(n, depth)
	}
	return n, nil
}

// members reads what a list or an object holds, to its end.
func (r *jsonReader) members(n *node, depth int) error {
	for r.decoder.More() {
		key := ""
		if n.kind == object {
			token, err := r.decoder.Token()
			if err != nil {
				return r.fail(err)
			}
			key, _ = token.(string) // the decoder takes nothing else
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if n.kind == object {
			n.put(key, value)
		} else {
			n.values = append(n.values, value)
		}
	}
	if _, err := r.decoder.Token(); err != nil {
		return r.fail(err)
	}
	if n.get("__ansible_vault") != nil {
		*n = node{kind: vault, line: n.line}
	}
	return nil
}

// mostNodes bounds what aliases of YAML may make of a small file.
const mostNodes = 2_000_000

// readYAML reads one YAML document.
func readYAML(content []byte) (*node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, &Error{Line: yamlLine(err), Message: "not YAML: " + plain(err.Error())}
	}
	if len(document.Content) == 0 {
		return &node{kind: null, line: 1}, nil
	}
	left := mostNodes
	return fromYAML(document.Content[0], 0, &left)
}

// yamlLine returns the line that an error of the YAML package names at its beginning; 0 where it names none.
func yamlLine(err error) int {
	var line int
	if _, failed := fmt.Sscanf(err.Error(), "yaml: line %d:", &line); failed != nil {
		return 0
	}
	return line
}

func fromYAML(y *yaml.Node, depth int, left *int) (*node, error) {
	if *left--; *left < 0 || depth > deepest {
		return nil, &Error{Line: y.Line, Message: "nested or repeated too often"}
	}
	n := &node{line: y.Line}
	switch {
	case y.Kind == yaml.AliasNode:
		return fromYAML(y.Alias, depth+1, left)
	case y.Tag == "!vault" || y.Tag == "!vault-encrypted":
		n.kind = vault
		return n, nil
	case y.Kind == yaml.ScalarNode:
		n.kind, n.text = scalar, y.Value
		if y.Tag == "!!null" {
			n.kind = null
		}
		return n, nil
	case y.Kind == yaml.SequenceNode:
		n.kind = list
	default:
		n.kind = object
	}
	return n, n.fill(y, depth, left)
}

// fill takes over what a list or a mapping of YAML holds. What merge keys (<<) bring, the mapping's own keys replace.
func (n *node) fill(y *yaml.Node, depth int, left *int) error {
	var merged []*node
	for i := 0; i < len(y.Content); i++ {
		key := y.Content[i]
		if n.kind == object {
			i++
		}
		value, err := fromYAML(y.Content[i], depth+1, left)
		switch {
		case err != nil:
			return err
		case n.kind == list:
			n.values = append(n.values, value)
			continue
		case key.Kind == yaml.AliasNode:
			key = key.Alias
		}
		switch {
		case key.Tag == "!!merge":
			merged = append(merged, value)
		case n.get(key.Value) != nil:
			return &Error{Line: key.Line, Message: "the key " + quoted(key.Value) + " stands here twice"}
		default:
			n.put(key.Value, value)
		}
	}
	for _, from := range merged {
		n.merge(from)
	}
	return nil
}

func (n *node) merge(from *node) {
	if from.kind == list {
		for _, one := range from.values {
			n.merge(one)
		}
		return
	}
	for i, key := range from.keys {
		if n.get(key) == nil {
			n.put(key, from.values[i])
		}
	}
}
