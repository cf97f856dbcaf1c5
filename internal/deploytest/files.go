package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// folder is where the files are, from this package.
const folder = "../../deploy"

// read returns a file of the folder.
func read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return "", fmt.Errorf("deploytest: %w", err)
	}
	return string(text), nil
}

// unitLine is one NAME=VALUE of a unit.
type unitLine struct{ section, name, value string }

// parseUnit reads a systemd unit.
func parseUnit(text string) (lines []unitLine, err error) {
	section := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
		case !ok || section == "" || strings.TrimSpace(name) != name:
			return nil, fmt.Errorf("deploytest: line %d: %q is no NAME=VALUE of a section", i+1, line)
		default:
			lines = append(lines, unitLine{section, name, value})
		}
	}
	return lines, nil
}

// instruction is one of a Dockerfile, its continuation lines joined.
type instruction struct{ name, args string }

var instructionForm = regexp.MustCompile(`^([A-Z]+)\s+(.+)$`)

// parseDockerfile reads a Dockerfile.
func parseDockerfile(text string) (list []instruction, err error) {
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, " ")
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		m := instructionForm.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("deploytest: %q is no instruction", line)
		}
		list = append(list, instruction{m[1], m[2]})
	}
	return list, nil
}

// variables are the JACKDAW_ variables that a text names.
func variables(text string) []string {
	return regexp.MustCompile(`\bJACKDAW_[A-Z0-9_]+\b`).FindAllString(text, -1)
}

// flags are the long flags behind "jackdaw serve", or another command of ours, in a text.
func flags(text string) (list []string) {
	for _, m := range regexp.MustCompile(`(?:jackdaw [a-z]+|serve)\b[^\n#&|]*`).FindAllString(text, -1) {
		list = append(list, regexp.MustCompile(`--[a-z][a-z0-9-]*`).FindAllString(m, -1)...)
	}
	return list
}
