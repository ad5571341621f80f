package mesh

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
)

// maxProgram is Envoy's limit of RE2's program size, in its manner of counting, where
// the runtime does not set re2.max_program_size.error_level.
const maxProgram = 100

// regex looks at a regular expression that Envoy is given within around, which has a
// %s for it; nil when there is none, or none that works.
func (r *review) regex(field, expr, around string) *regexp.Regexp {
	if expr == "" {
		return nil
	}
	before := len(r.list)
	r.when(len(expr) > maxValue, field, fmt.Sprintf("the expression is longer than %d bytes", maxValue), "write a shorter one")
	r.when(!bytewise(expr), field, "Envoy reads the expression byte by byte, so letters beyond ASCII and classes such as \\pL do not match what they say",
		"use ASCII alone, and [^/] or . for any other letter")
	if len(r.list) > before {
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		why, _ := strings.CutPrefix(err.Error(), "error parsing regexp: ")
		r.when(true, field, "Envoy refuses the expression: "+short(why), "correct it; its syntax is RE2")
		return nil
	}
	r.program(field, fmt.Sprintf(around, expr))
	return re
}

// program looks at the size of what Envoy makes of an expression.
func (r *review) program(field, expr string) {
	size := programSize(expr)
	r.when(size > maxProgram, field, fmt.Sprintf("Envoy may refuse the expression: its program has up to %d steps, and %d are allowed", size, maxProgram),
		"write a simpler one, with fewer alternatives and smaller repetitions, or several routes")
}

// programSize is RE2's program size as Envoy 1.40.0 counts it, or a little more; 0 for
// what does not parse. There is a step for each range of bytes that a letter can be
// of, for each choice and each end of a group, and four round the whole. RE2 shares
// steps where it can, which is not foreseen here.
func programSize(expr string) int {
	const around, anyByte = 4, 2 // all but the end of a line is two ranges
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0
	}
	size := around
	for n := range program.Inst {
		switch i := &program.Inst[n]; i.Op {
		case syntax.InstRune1, syntax.InstAlt, syntax.InstAltMatch, syntax.InstEmptyWidth, syntax.InstCapture:
			size++
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			size += anyByte
		case syntax.InstRune:
			size += max(1, ranges(i.Rune))
		}
	}
	return size
}

// ranges counts those of a class that begin within a byte. Letters that are there in
// both cases are one.
func ranges(class []rune) (n int) {
	const lower = 'a' - 'A'
	there := map[[2]rune]bool{}
	for i := 0; i+1 < len(class); i += 2 {
		there[[2]rune{class[i], class[i+1]}] = true
	}
	for r := range there {
		capitals := r[0] >= 'A' && r[1] <= 'Z'
		if r[0] <= unicode.MaxLatin1 && !(capitals && there[[2]rune{r[0] + lower, r[1] + lower}]) {
			n++
		}
	}
	return n
}

// bytewise tells whether an expression means the same to an engine that takes each
// byte for a letter.
func bytewise(expr string) bool {
	for n := 0; n < len(expr); n++ {
		switch {
		case expr[n] >= 0x80:
			return false
		case expr[n] == '\\' && n+1 < len(expr):
			n++
			ascii := n+2 < len(expr) && expr[n+1] >= '0' && expr[n+1] <= '7' // of \x41
			if strings.ContainsRune("pPC", rune(expr[n])) || expr[n] == 'x' && !ascii {
				return false
			}
		}
	}
	return true
}
