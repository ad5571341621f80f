package rollout

import (
	"fmt"
	"strconv"
	"strings"
)

// Share is a part of the whole in hundredths of a percent: 0 to [Whole]. In JSON
// it is that integer.
type Share uint32

// Whole is 100 %.
const Whole Share = 10000

// ParseShare reads a percentage with at most two decimals, such as "12.5" or
// "12.5%". It never rounds: what cannot be kept exactly is an error.
func ParseShare(text string) (Share, error) {
	number := strings.TrimSuffix(text, "%")
	whole, decimals, dotted := strings.Cut(number, ".")
	if !digits(whole, 3) || dotted && !digits(decimals, 2) {
		return 0, fmt.Errorf("parse percentage %s: want 0 to 100 with at most two decimals, such as 12.5", quote(text))
	}
	n, err := strconv.Atoi(whole + (decimals + "00")[:2])
	if err != nil || n > int(Whole) {
		return 0, fmt.Errorf("parse percentage %s: want at most 100", quote(text))
	}
	return Share(n), nil
}

// String gives the percentage as people write it, such as "12.5%".
func (s Share) String() string {
	if s%100 == 0 {
		return fmt.Sprintf("%d%%", s/100)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%02d", s/100, s%100), "0") + "%"
}

// of gives the share that n of all are, rounded down; 0 of none.
func of(n, all int) Share {
	if all <= 0 || n <= 0 {
		return 0
	}
	return Share(min(uint64(Whole), uint64(n)*uint64(Whole)/uint64(all)))
}

func digits(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "0123456789") == ""
}
