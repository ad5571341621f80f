package rig

import (
	"strconv"
	"strings"
)

// HCLString writes a string of printable ASCII as HCL.
func HCLString(s string) string { return strconv.Quote(s) }

// HCLStrings writes a list of such strings as HCL.
func HCLStrings(list ...string) string {
	quoted := make([]string, 0, len(list))
	for _, s := range list {
		quoted = append(quoted, HCLString(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
