package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// readYAML sets the fields from a file's text. Each error names the file and the line.
func readYAML(all []field, file string, text []byte) []error {
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return []error{fmt.Errorf("config: %s: %w", place(file, err), plain(err))}
	}
	r := yamlReader{file: file, fields: map[string]field{}, groups: map[string]struct{}{}, seen: map[string]int{}}
	for _, f := range all {
		r.fields[f.key] = f
		if group, _, ok := strings.Cut(f.key, "."); ok {
			r.groups[group] = struct{}{}
		}
	}
	for i, d := range doc.Docs {
		switch {
		case d.Body == nil:
		case i > 0:
			r.fail(d.Body, "a configuration is one document, and here another begins")
		default:
			r.mapping("", d.Body)
		}
	}
	return r.errs
}

// place is the file with the line that an error of the parser names.
func place(file string, err error) string {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		return fmt.Sprintf("%s:%d", file, ye.GetToken().Position.Line)
	}
	return file
}

// plain is the parser's error in one line, without its excerpt of the source.
func plain(err error) error {
	var ye yaml.Error
	if errors.As(err, &ye) {
		return errors.New(ye.GetMessage())
	}
	return err
}

// yamlReader walks one document.
type yamlReader struct {
	file   string
	fields map[string]field
	groups map[string]struct{}
	seen   map[string]int // key -> line
	errs   []error
}

func (r *yamlReader) fail(at ast.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("config: %s:%d: %s", r.file, at.GetToken().Position.Line, fmt.Sprintf(format, args...)))
}

// mapping reads the keys below prefix.
func (r *yamlReader) mapping(prefix string, n ast.Node) {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			r.entry(prefix, v)
		}
	case *ast.MappingValueNode:
		r.entry(prefix, n)
	case *ast.NullNode, *ast.CommentGroupNode:
	default:
		r.fail(n, "keys with values are expected here, as in `domain: example.org`")
	}
}

func (r *yamlReader) entry(prefix string, n *ast.MappingValueNode) {
	name, ok := scalar(n.Key)
	if !ok {
		r.fail(n.Key, "a key is one word")
		return
	}
	key := prefix + name
	if line, twice := r.seen[key]; twice {
		r.fail(n.Key, "%s is given twice; the first is in line %d", key, line)
		return
	}
	r.seen[key] = n.Key.GetToken().Position.Line
	if _, group := r.groups[key]; group {
		r.mapping(key+".", n.Value)
		return
	}
	f, known := r.fields[key]
	if !known {
		r.fail(n.Key, "unknown key %s%s", key, hint(key, r.fields))
		return
	}
	text, ok := scalar(n.Value)
	if !ok {
		r.fail(n.Value, "%s takes one plain value", key)
		return
	}
	if err := f.set(text); err != nil {
		r.fail(n.Value, "%s: %v", key, err)
	}
}

// scalar is the text of a node that is one plain value. An empty one is the empty text.
func scalar(n any) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.(ast.Node).GetToken().Value, true
	case *ast.NullNode:
		return "", true
	}
	return "", false
}
