package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one key of a configuration: a leaf of the struct, with what its tags say.
type field struct {
	key    string // with the keys of the structs around it: "mailbox.ttl"
	doc    string
	secret bool // never printed; tag `secret:"true"`
	value  reflect.Value
}

// fields lists the leaves of a struct behind a pointer, in order.
func fields(config any) []field { return appendFields(nil, "", reflect.ValueOf(config).Elem()) }

func appendFields(to []field, prefix string, v reflect.Value) []field {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		key := prefix + tag.Get("key")
		if v.Field(i).Kind() == reflect.Struct {
			to = appendFields(to, key+".", v.Field(i))
			continue
		}
		to = append(to, field{key: key, doc: tag.Get("doc"), secret: tag.Get("secret") == "true", value: v.Field(i)})
	}
	return to
}

// env is the environment variable of a key.
func (f field) env() string { return envPrefix + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_")) }

// set reads the value from text. Its error says what the text should have been.
func (f field) set(text string) error {
	if f.secret && text == masked {
		return errors.New("this is what stands for a secret in print, and not the secret")
	}
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*p = b
	case *Size:
		n, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = n
	case *time.Duration:
		d, err := ParseDuration(text)
		if err != nil {
			return err
		}
		*p = d
	default:
		return fmt.Errorf("keys of type %T can't be read", p)
	}
	return nil
}

// text is the value as it is written in a file.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case string:
		return v
	case time.Duration:
		return trimDuration(v)
	default:
		return fmt.Sprint(v)
	}
}

// trimDuration writes 15m instead of 15m0s, and 720h instead of 720h0m0s.
func trimDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
