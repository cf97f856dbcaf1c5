package config

import (
	"fmt"
	"regexp"
	"strings"
)

const envPrefix = "JACKDAW_"

// FileEnv names the environment variable with the path of the configuration file, which a flag overrides.
const FileEnv = envPrefix + "CONFIG"

// orchestrated matches the variables that Kubernetes sets in every container beside a service whose name begins with jackdaw. They
// say where that service is, and are nothing that an operator has written.
var orchestrated = regexp.MustCompile(`^JACKDAW_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environment is what the variables say.
type environment struct {
	file   string
	values []envValue
}

type envValue struct {
	field field
	text  string
}

// readEnv picks Jackdaw's variables out of an environment. A variable that is set to nothing is set.
func readEnv(all []field, environ []string) (environment, []error) {
	var env environment
	var errs []error
	byName := make(map[string]field, len(all))
	for _, f := range all {
		byName[f.env()] = f
	}
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		f, known := byName[name]
		switch {
		case known:
			env.values = append(env.values, envValue{f, text})
		case name == FileEnv:
			env.file = text
		case strings.HasPrefix(name, envPrefix) && !orchestrated.MatchString(name):
			errs = append(errs, fmt.Errorf("config: the environment variable %s means nothing%s", name, hint(name, byName)))
		}
	}
	return env, errs
}

// hint names the key or variable that was probably meant, if one is near enough.
func hint[T any](wrong string, known map[string]T) string {
	best, distance := "", len(wrong)/3+1
	for name := range known {
		if d := editDistance(wrong, name); d < distance || d == distance && best != "" && name < best {
			best, distance = name, d
		}
	}
	if best == "" {
		return "; `jackdaw config print` shows what there is"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
