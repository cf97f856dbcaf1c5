package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// masked stands for a secret. A secret can't be set to it.
const masked = "(secret)"

// Print returns the configuration as YAML that Load reads, each key below its explanation and its environment variable. Secrets
// are masked.
func (c *Config) Print() string { return printFields(fields(c)) }

func printFields(all []field) string {
	var b strings.Builder
	group := ""
	for _, f := range all {
		g, name, grouped := strings.Cut(f.key, ".")
		if !grouped {
			g, name = "", f.key
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		indent := ""
		if grouped {
			indent = "  "
			if g != group {
				fmt.Fprintf(&b, "%s:\n", g)
			}
		}
		group = g
		fmt.Fprintf(&b, "%s# %s (%s)\n%s%s: %s\n", indent, f.doc, f.env(), indent, name, f.shown())
	}
	return b.String()
}

// shown is the value as YAML, or the mask.
func (f field) shown() string {
	text := f.text()
	if f.secret && text != "" {
		return masked
	}
	if _, isText := f.value.Interface().(string); isText && (text == "" || token.IsNeedQuoted(text)) {
		return fmt.Sprintf("%q", text)
	}
	return text
}
