package chain

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// unknown lists what a text holds that the type of like has no field for. A condition
// that is not understood is an error: without it a route would take requests that it
// is not for.
func unknown(text []byte, like any) (list []string, err error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	walk(value, reflect.TypeOf(like), "", &list)
	for _, name := range list {
		if strings.Contains(name, ".Match.") {
			return nil, fmt.Errorf("the condition %s is not known", clip(name))
		}
	}
	return list, nil
}

// walk adds the paths of the fields that t lacks. Empty values say nothing.
func walk(value any, t reflect.Type, path string, list *[]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			inner := t
			switch t.Kind() {
			case reflect.Struct:
				f, ok := t.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, key) })
				if !ok {
					if !empty(v[key]) {
						*list = append(*list, clip(join(path, key)))
					}
					continue
				}
				inner = f.Type
			case reflect.Map:
				inner = t.Elem()
			}
			walk(v[key], inner, join(path, key), list)
		}
	case []any:
		for n, e := range v {
			if t.Kind() == reflect.Slice {
				walk(e, t.Elem(), fmt.Sprintf("%s[%d]", path, n), list)
			}
		}
	}
}

func join(path, key string) string {
	if path == "" || path == "Chain" {
		return key
	}
	return path + "." + key
}

// empty tells whether a value is what Consul writes for nothing.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, inner := range v {
			if !empty(inner) {
				return false
			}
		}
		return true
	}
	return false
}

// clip keeps texts of any origin readable.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return strings.ToValidUTF8(s, "")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
