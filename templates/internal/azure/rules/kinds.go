package rules

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// kind is what differs between the types of objects.
type kind struct {
	// location says that a document must tell a region.
	location bool
	// children is the collection below an object that its document shows.
	children string
	judge    func(World, *Object) *Refusal
	// show adds what a GET tells beyond what was sent; may be nil.
	show func(*Object, Body)
	// used tells who keeps an object from being removed; may be nil.
	used func(*Object) string
}

// kinds by lower-case type.
var kinds = map[string]kind{
	"microsoft.network/ipgroups":                            {location: true, judge: judgeIPGroup, show: showIPGroup, used: usedIPGroup},
	"microsoft.network/networksecuritygroups":               {location: true, children: "securityRules", judge: accept},
	"microsoft.network/networksecuritygroups/securityrules": {judge: judgeRule},
	"microsoft.network/loadbalancers":                       {location: true, children: "backendAddressPools", judge: accept},
	"microsoft.network/loadbalancers/backendaddresspools":   {judge: judgePool, show: showPool},
	"microsoft.network/privatednszones":                     {location: true, judge: accept},
	"microsoft.network/privatednszones/a":                   {judge: judgeRecord, show: showRecord},
	"microsoft.network/applicationgateways":                 {location: true, judge: judgeGateway, show: showGateway},
	"nginx.nginxplus/nginxdeployments":                      {location: true, judge: accept},
	"nginx.nginxplus/nginxdeployments/configurations":       {judge: judgeNginx, show: showNginx},
}

// Judge refuses a document that ARM would not take.
func Judge(w World, o *Object) *Refusal {
	k := kinds[strings.ToLower(o.Kind)]
	switch {
	case o.Parent != "" && w.Find(o.Parent) == nil:
		return Refuse(http.StatusNotFound, "ParentResourceNotFound", "Failed to perform 'write' on resource(s) of type '%s', because the parent resource '%s' could not be found.", o.Kind, o.Parent)
	case k.location && o.Body["location"] == nil:
		return invalid("LocationRequired", "The location property is required for this definition.")
	}
	return k.judge(w, o)
}

// Children names the collection below an object that its document shows, "" if there is
// none.
func Children(o *Object) string { return kinds[strings.ToLower(o.Kind)].children }

// Show adds to the properties of a document what a GET tells beyond what was sent.
func Show(o *Object, properties Body) {
	if show := kinds[strings.ToLower(o.Kind)].show; show != nil {
		show(o, properties)
	}
}

// Used tells what keeps an object from being removed, "" if nothing does.
func Used(o *Object) string {
	used := kinds[strings.ToLower(o.Kind)].used
	if used == nil {
		return ""
	}
	return used(o)
}

func accept(World, *Object) *Refusal { return nil }

// networkName is what Azure's network resources may be called.
var networkName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`)

func invalid(code, format string, args ...any) *Refusal {
	return Refuse(http.StatusBadRequest, code, format, args...)
}

func judgeName(o *Object) *Refusal {
	if !networkName.MatchString(o.Name) {
		return invalid("InvalidResourceName", "Resource name %s is invalid. The name can be up to 80 characters long. It must begin with a word character, and it must end with a word character or with '_'.", o.Name)
	}
	return nil
}

// prefix reads an address or a block of addresses; ok is false for anything else.
func prefix(s string) (p netip.Prefix, ok bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && p.Masked() == p
}

// judgeAddresses refuses what is no address, several families, and one address twice.
func judgeAddresses(addresses []string) *Refusal {
	seen := map[netip.Prefix]bool{}
	var family int
	for _, s := range addresses {
		p, ok := prefix(s)
		switch {
		case !ok:
			return invalid("InvalidAddressPrefix", "Address prefix '%s' is invalid.", s)
		case seen[p]:
			return invalid("DuplicateAddressPrefix", "Address prefix '%s' is there twice.", s)
		case family != 0 && family != p.Addr().BitLen():
			return invalid("MixedAddressFamilies", "IPv4 and IPv6 cannot be mixed: '%s'.", s)
		}
		seen[p], family = true, p.Addr().BitLen()
	}
	return nil
}

func oneOf(s string, choices ...string) bool {
	for _, c := range choices {
		if strings.EqualFold(s, c) {
			return true
		}
	}
	return false
}
