package templates

// Builtin is replaced by the one that unpacks the shipped modules.
func Builtin(string) (map[string][]byte, bool) { return nil, false }
