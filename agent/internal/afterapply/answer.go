package afterapply

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what is taken from a device: bytes of an answer, and lines and bytes
// of a line that an error repeats.
const (
	maxAnswer = 1 << 20
	maxLines  = 10
	maxLine   = 300
)

// answer is an answer of the XML API. Its forms are not documented in one place: a
// message is text or lines, below the root or below result; a job is its number when
// it is enqueued, and an element when it is shown.
type answer struct {
	XMLName xml.Name `xml:"response"`
	Status  string   `xml:"status,attr"`
	Code    string   `xml:"code,attr"`
	Message words    `xml:"msg"`
	Result  struct {
		Key     string `xml:"key"`
		Message words  `xml:"msg"`
		Job     job    `xml:"job"`
	} `xml:"result"`
}

// job is a commit under way or ended.
type job struct {
	Text     string  `xml:",chardata"`
	ID       string  `xml:"id"`
	Status   string  `xml:"status"`
	Result   string  `xml:"result"`
	Details  words   `xml:"details"`
	Warnings []words `xml:"warnings>line"`
}

// words is text with elements in it at any depth.
type words struct {
	Text  string  `xml:",chardata"`
	Parts []words `xml:",any"`
}

func (w words) lines() (out []string) {
	if t := strings.TrimSpace(w.Text); t != "" {
		out = append(out, t)
	}
	for _, p := range w.Parts {
		out = append(out, p.lines()...)
	}
	return out
}

// parse takes exactly one response element.
func parse(body []byte) (answer, error) {
	var a answer
	if err := xml.Unmarshal(body, &a); err != nil {
		return answer{}, fmt.Errorf("read answer: it is not the XML API's: %s", printable(err.Error()))
	}
	return a, nil
}

// codeEmpty comes with status success when a user with a custom role has nothing to
// commit, and with status error when another commit is in the way.
const codeEmpty = "13"

// codes are what the vendor's list of error codes says.
var codes = map[string]string{
	"1": "unknown command", "2": "internal error", "3": "internal error", "4": "internal error", "5": "internal error", "6": "bad xpath",
	"7": "object not present", "8": "object not unique", "10": "reference count not zero", "11": "internal error", "12": "invalid object",
	codeEmpty: "object not found or another commit is in progress", "14": "operation not possible", "15": "operation denied", "16": "unauthorized", "17": "invalid command",
	"18": "malformed command", "22": "session timed out", "400": "bad request", "403": "forbidden",
}

// refusal is an answer that says no.
type refusal struct {
	code  string
	lines []string
}

// Error gives the code with its meaning and the device's words.
func (r *refusal) Error() string {
	out := "PAN-OS refused it"
	if r.code != "" {
		out = fmt.Sprintf("PAN-OS answered with code %s", printable(r.code))
		if meaning, ok := codes[r.code]; ok {
			out += " (" + meaning + ")"
		}
	}
	if len(r.lines) > 0 {
		out += ": " + strings.Join(r.lines, "; ")
	}
	if r.code == "403" || r.code == "16" {
		out += "; check api_key or password, and that the user may use the XML API for operational requests and commits"
	}
	return out
}

// check gives the refusal of an answer, nil when it is none. also names codes that
// are no refusal beside success (19 and 20).
func (a answer) check(also ...string) error {
	if a.Status == "success" && (a.Code == "" || a.Code == "0" || a.Code == "19" || a.Code == "20" || slices.Contains(also, a.Code)) {
		return nil
	}
	return &refusal{code: a.Code, lines: bounded(append(a.Message.lines(), a.Result.Message.lines()...))}
}

// bounded makes lines of a device fit for an error.
func bounded(lines []string) []string {
	out := make([]string, 0, min(len(lines), maxLines+1))
	for n, l := range lines {
		if n == maxLines {
			out = append(out, fmt.Sprintf("and %d more lines", len(lines)-n))
			break
		}
		out = append(out, printable(l))
	}
	return out
}

// printable makes text of a device one short line.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	if len(text) <= maxLine {
		return text
	}
	cut := maxLine
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
