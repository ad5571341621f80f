package afterapply

import (
	"strings"
	"testing"
)

// Whatever a device answers, an error about it is one line of bounded length.
func FuzzAnAnswerMakesAnErrorThatIsFitToBeShown(f *testing.F) {
	for _, seed := range []string{
		`<response status="error" code="13"><msg><line>Another commit/validate is in progress</line></msg></response>`,
		`<response status = 'error' code = '403'><result><msg>Invalid Credential</msg></result></response>`,
		"<response status=\"error\" code=\"\x1b[31m\"><msg><a><b>x\ny</b></a></msg></response>",
		`<response><response><response/></response></response>`, `<!DOCTYPE r [<!ENTITY a "b">]><response>&a;</response>`, "\xff", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parse(body)
		if err == nil {
			err = a.check()
		}
		if err == nil {
			if a.Status != "success" {
				t.Fatalf("status %q is taken for a success", a.Status)
			}
			return
		}
		if text := err.Error(); len(text) > (maxLines+3)*(maxLine+20) || strings.ContainsAny(text, "\n\r\x00\x1b") {
			t.Fatalf("%d bytes: %.300q", len(text), text)
		}
	})
}
