package rules

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// What ARM takes in one Object.
const (
	maxGroupAddresses = 5000
	maxRuleAddresses  = 4000
	maxRules          = 1000
	maxRecords        = 20
)

func judgeIPGroup(s World, o *Object) *Refusal {
	if refused := judgeName(o); refused != nil {
		return refused
	}
	p := o.Properties()
	addresses, ok := texts(p, "ipAddresses")
	if !ok {
		return invalid("InvalidRequestFormat", "ipAddresses is no list of strings.")
	}
	if len(addresses) > maxGroupAddresses {
		return invalid("IpGroupTooManyAddresses", "IP group %s has %d addresses; at most %d are allowed.", o.Name, len(addresses), maxGroupAddresses)
	}
	for _, a := range addresses {
		from, to, isRange := strings.Cut(a, "-")
		if x, err := netip.ParsePrefix(a); err == nil && x.Addr().Is4() {
			continue
		}
		first, err := netip.ParseAddr(from)
		last := first
		if isRange && err == nil {
			last, err = netip.ParseAddr(to)
		}
		if err != nil || !first.Is4() || !last.Is4() || last.Less(first) {
			return invalid("IpGroupInvalidIpAddress", "IP group %s has the invalid address '%s'.", o.Name, a)
		}
	}
	// Who uses the group is not for a client to say.
	delete(p, "firewalls")
	delete(p, "firewallPolicies")
	if before := s.Find(o.ID); before != nil {
		for _, by := range []string{"firewalls", "firewallPolicies"} {
			if used, ok := before.Properties()[by]; ok {
				p[by] = used
			}
		}
	}
	return nil
}

func showIPGroup(_ *Object, p Body) {
	for _, name := range []string{"ipAddresses", "firewalls", "firewallPolicies"} {
		if p[name] == nil {
			p[name] = []any{}
		}
	}
}

func usedIPGroup(o *Object) string {
	for _, by := range []string{"firewallPolicies", "firewalls"} {
		for _, x := range List(o.Properties(), by) {
			reference, _ := x.(Body)
			return Text(reference, "id")
		}
	}
	return ""
}

// tag is a service tag, which ARM knows by name.
var tag = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*$`)

func judgeRule(s World, o *Object) *Refusal {
	if refused := judgeName(o); refused != nil {
		return refused
	}
	p := o.Properties()
	priority, err := whole(p, "priority")
	if err != nil || priority < 100 || priority > 4096 {
		return invalid("SecurityRuleInvalidPriority", "Security rule has invalid Priority. Value provided: %v Allowed range 100-4096.", p["priority"])
	}
	if !oneOf(Text(p, "direction"), "Inbound", "Outbound") || !oneOf(Text(p, "access"), "Allow", "Deny") || !oneOf(Text(p, "protocol"), "Tcp", "Udp", "Icmp", "Esp", "Ah", "*") {
		return invalid("InvalidRequestFormat", "Security rule %s has no valid direction, access or protocol.", o.Name)
	}
	if len(Text(p, "description")) > 140 {
		return invalid("SecurityRuleDescriptionTooLong", "The description of security rule %s has more than 140 characters.", o.Name)
	}
	others := s.Below(o.Parent + "/securityRules")
	for _, other := range others {
		if has, _ := whole(other.Properties(), "priority"); other.ID != o.ID && !strings.EqualFold(other.Name, o.Name) && has == priority && strings.EqualFold(Text(other.Properties(), "direction"), Text(p, "direction")) {
			return invalid("SecurityRuleConflict", "Security rule %s conflicts with rule %s. Rules cannot have the same Priority and Direction.", o.Name, other.Name)
		}
	}
	if len(others) >= maxRules && s.Find(o.ID) == nil {
		return invalid("SecurityRulesPerNsgLimitReached", "A network security group can have %d rules.", maxRules)
	}
	for _, side := range []string{"source", "destination"} {
		if refused := judgeSide(o, p, side); refused != nil {
			return refused
		}
	}
	return nil
}

// judgeSide looks at the addresses and ports of one side of a rule: one of a single
// value and a list, and a list has neither tags nor *.
func judgeSide(o *Object, p Body, side string) *Refusal {
	single := Text(p, side+"AddressPrefix")
	several, ok := texts(p, side+"AddressPrefixes")
	if groups := List(p, side+"ApplicationSecurityGroups"); len(groups) > 0 {
		return invalid("NotHere", "Application security groups are not known to this stand-in.")
	}
	switch {
	case !ok || single == "" == (len(several) == 0):
		return invalid("SecurityRuleMissingAddressPrefix", "Security rule %s must have exactly one of %sAddressPrefix and %sAddressPrefixes.", o.Name, side, side)
	case len(several) > maxRuleAddresses:
		return invalid("SecurityRuleTooManyAddressPrefixes", "Security rule %s has %d address prefixes; at most %d are allowed.", o.Name, len(several), maxRuleAddresses)
	}
	if _, ok := prefix(single); single != "" && single != "*" && !ok && !tag.MatchString(single) {
		return invalid("SecurityRuleInvalidAddressPrefix", "Security rule has invalid Address prefix. Value provided: %s", single)
	}
	if refused := judgeAddresses(several); refused != nil {
		return refused
	}
	port := Text(p, side+"PortRange")
	ports, ok := texts(p, side+"PortRanges")
	if !ok || port == "" == (len(ports) == 0) {
		return invalid("SecurityRuleMissingPortRange", "Security rule %s must have exactly one of %sPortRange and %sPortRanges.", o.Name, side, side)
	}
	for _, r := range append(ports, port) {
		if r != "" && !(r == "*" && len(ports) == 0) && !portRange(r) {
			return invalid("SecurityRuleInvalidPortRange", "Security rule has invalid Port range. Value provided: %s. Value should be an integer OR integer range with '-' delimiter.", r)
		}
	}
	return nil
}

func portRange(s string) bool {
	from, to, isRange := strings.Cut(s, "-")
	first, err := strconv.ParseUint(from, 10, 16)
	last := first
	if isRange && err == nil {
		last, err = strconv.ParseUint(to, 10, 16)
	}
	return err == nil && first <= last
}
