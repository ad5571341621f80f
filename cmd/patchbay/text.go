package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// page collects what a person reads. Every line passes through [printable], so
// nothing from Consul, Terraform or a device reaches a terminal as a command.
type page struct {
	b strings.Builder
	// raw shows Terraform's plan where there are words of devices too.
	raw bool
}

func (p *page) String() string { return p.b.String() }

// line adds one line; the format may have no line break, and one in a value is shown escaped.
func (p *page) line(indent int, format string, args ...any) {
	text := printable(fmt.Sprintf(format, args...))
	if text != "" {
		p.b.WriteString(strings.Repeat(" ", indent))
		p.b.WriteString(text)
	}
	p.b.WriteByte('\n')
}

func (p *page) blank() { p.b.WriteByte('\n') }

// table adds rows in aligned columns; the first row is the header.
func (p *page) table(indent int, rows [][]string) {
	var width []int
	for _, row := range rows {
		for n, cell := range row {
			if n == len(width) {
				width = append(width, 0)
			}
			width[n] = max(width[n], utf8.RuneCountInString(printable(cell)))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for n, cell := range row {
			cell = printable(cell)
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", width[n]-utf8.RuneCountInString(cell)+2))
		}
		p.line(indent, "%s", strings.TrimRight(b.String(), " "))
	}
}

// printable makes text safe for a terminal: control characters, direction marks
// and invalid UTF-8 are shown as Go escapes, but for those in keep.
func printable(text string, keep ...rune) string {
	var b strings.Builder
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r) || slices.Contains(keep, r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// clip shortens a text to at most n characters and says how much is missing.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return fmt.Sprintf("%s… (%d more characters)", string(runes[:n]), len(runes)-n)
}

// jsonText writes a value as indented JSON that is as safe for a terminal as
// [printable] text: encoding/json leaves DEL, C1 and direction marks as they are.
func jsonText(value any) (string, error) {
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return safeJSON(raw.String()), nil
}

// safeJSON escapes in JSON what [printable] escapes in text.
func safeJSON(raw string) string {
	var b strings.Builder
	for _, r := range raw {
		switch {
		case r == '\n' || strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// count gives "1 task", "2 tasks".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// text adds a text of several lines, at most [maxLines].
func (p *page) text(indent int, text string) {
	list := splitLines(text)
	for n, l := range list {
		if n == maxLines {
			p.line(indent, "and %s more; -o json has all of it", count(len(list)-n, "line"))
			return
		}
		p.line(indent, "%s", strings.TrimRight(l, "\r"))
	}
}
