package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxName bounds a name or value that is told, in characters.
const MaxName = 120

// Clean escapes what could act on a terminal and bounds the text, in characters.
func Clean(text string, most int) string {
	if len(text) > 4*most { // more bytes than so many characters have
		text = text[:4*most]
		for n := 0; n < utf8.UTFMax && !utf8.ValidString(text); n++ {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	plain := true
	for _, r := range text {
		plain = plain && r != utf8.RuneError && strconv.IsPrint(r)
	}
	if !plain {
		text = escape(text)
	}
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// escape writes what is not printable as Go does, and leaves quotes alone.
func escape(text string) string {
	var b strings.Builder
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
