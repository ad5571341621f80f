package config

import "bytes"

// CTS reads ${…} and %{…} in strings as plain text; HCL 2 would interpolate them,
// and refuse a regular expression that holds half of one. So before parsing each
// special character is put under a mask of equal length, which keeps all
// positions right, and taken off again from the parsed strings. Masks are control
// characters, which no configuration may hold.
const (
	maskDollar    = 0x01
	maskPercent   = 0x02
	maskQuote     = 0x03
	maskBackslash = 0x04
)

// masks maps a character to its mask.
var masks = map[byte]byte{'$': maskDollar, '%': maskPercent, '"': maskQuote, '\\': maskBackslash}

var unmasker = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
	}
	for c, m := range masks {
		table[m] = c
	}
	return table
}()

// unmask gives the text as it stood in the source.
func unmask(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = unmasker[c]
	}
	return string(b)
}

// forbidden gives the offset of the first control character that is neither
// white space nor wanted anywhere; -1 when there is none.
func forbidden(src []byte) int {
	return bytes.IndexFunc(src, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
	})
}

// mask gives src with everything in strings and heredocs masked that HCL 2 takes
// for a template.
func mask(src []byte) []byte {
	out := bytes.Clone(src)
	for i := 0; i < len(out); {
		switch {
		case out[i] == '"':
			i = maskString(out, i+1)
		case out[i] == '#' || bytes.HasPrefix(out[i:], []byte("//")):
			i = skipPast(out, i, "\n")
		case bytes.HasPrefix(out[i:], []byte("/*")):
			i = skipPast(out, i+2, "*/")
		case bytes.HasPrefix(out[i:], []byte("<<")):
			i = maskHeredoc(out, i+2)
		default:
			i++
		}
	}
	return out
}

func skipPast(b []byte, from int, end string) int {
	n := bytes.Index(b[from:], []byte(end))
	if n < 0 {
		return len(b)
	}
	return from + n + len(end)
}

// maskString masks a quoted string whose text begins at i and gives the offset
// past its closing quote, or of the line's end when there is none.
func maskString(b []byte, i int) int {
	for i < len(b) && b[i] != '\n' {
		switch {
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			i += 2
		case i+1 < len(b) && b[i+1] == '{' && b[i] == '$':
			i = maskVerbatim(b, i)
		case i+1 < len(b) && b[i+1] == '{' && b[i] == '%':
			b[i] = maskPercent
			i += 2
		default:
			i++
		}
	}
	return min(i, len(b))
}

// maskVerbatim masks ${…} at i: up to the matching brace CTS takes everything as
// it stands, quotes and backslashes too. Without a matching brace on the line
// only the dollar is masked.
func maskVerbatim(b []byte, i int) int {
	b[i] = maskDollar
	depth := 0
	for n := i + 1; n < len(b) && b[n] != '\n'; n++ {
		switch b[n] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth > 0 {
			continue
		}
		for k := i + 1; k <= n; k++ {
			if m, ok := masks[b[k]]; ok {
				b[k] = m
			}
		}
		return n + 1
	}
	return i + 2
}

// maskHeredoc masks the lines of a heredoc whose marker begins at i, up to the
// line that holds the marker alone.
func maskHeredoc(b []byte, i int) int {
	eol := skipPast(b, i, "\n")
	marker := bytes.TrimPrefix(bytes.TrimSpace(b[i:eol]), []byte("-"))
	if len(marker) == 0 || bytes.ContainsAny(marker, " \t\"{}[]()=,") {
		return i
	}
	for eol < len(b) {
		next := skipPast(b, eol, "\n")
		line := b[eol:next]
		if bytes.Equal(bytes.TrimSpace(line), marker) {
			return next
		}
		for k := 0; k+1 < len(line); k++ {
			if (line[k] == '$' || line[k] == '%') && line[k+1] == '{' {
				line[k] = masks[line[k]]
			}
		}
		eol = next
	}
	return eol
}
