package rules

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strings"
)

// writable are the directories that a managed NGINX lets files be written to.
var writable = []string{"/etc/nginx/", "/opt/", "/srv/", "/var/www/"}

func judgeNginx(s World, o *Object) *Refusal {
	if o.Name != "default" {
		return invalid("InvalidConfigurationName", "The configuration of a deployment is called 'default'.")
	}
	p := o.Properties()
	before := Body{}
	if has := s.Find(o.ID); has != nil {
		before = has.Properties()
	}
	var all strings.Builder
	paths := map[string]bool{}
	for _, group := range []string{"files", "protectedFiles"} {
		for _, x := range List(p, group) {
			file, _ := x.(Body)
			at := Text(file, "virtualPath")
			if at != path.Clean(at) || !slices.ContainsFunc(writable, func(dir string) bool { return strings.HasPrefix(at, dir) }) || paths[at] {
				return invalid("NginxConfigurationInvalidPath", "The file '%s' is there twice, or not in a directory that may be written to.", at)
			}
			paths[at] = true
			if group == "protectedFiles" && Text(file, "content") == "" {
				file["content"] = Text(find(before, group, at), "content") // it stays
			}
			content, err := base64.StdEncoding.DecodeString(Text(file, "content"))
			if err != nil || len(content) == 0 {
				return invalid("NginxConfigurationInvalidContent", "The file '%s' is empty or not base64.", at)
			}
			all.Write(content)
		}
	}
	if !paths[Text(p, "rootFile")] {
		return invalid("NginxConfigurationNoRootFile", "The root file '%s' is not among the files.", Text(p, "rootFile"))
	}
	if why := parseNginx(all.String()); why != "" {
		return invalid("NginxConfigurationInvalid", "nginx: [emerg] %s", why)
	}
	return nil
}

var (
	upstream = regexp.MustCompile(`(?m)^\s*upstream\s+(\S+)\s*\{`)
	fixed    = regexp.MustCompile(`(?m)^\s*(ssl_engine|debug_points|proxy_bind|grpc_bind|fastcgi_bind)\b`)
)

// parseNginx finds what NGINX would refuse first, as far as a stand-in needs to.
func parseNginx(text string) string {
	if strings.Count(text, "{") != strings.Count(text, "}") {
		return `unexpected end of file, expecting "}"`
	}
	if m := fixed.FindStringSubmatch(text); m != nil {
		return m[1] + " is not allowed"
	}
	seen := map[string]bool{}
	for _, m := range upstream.FindAllStringSubmatch(text, -1) {
		if name := strings.ToLower(m[1]); seen[name] {
			return `duplicate upstream "` + name + `"`
		} else {
			seen[name] = true
		}
	}
	return ""
}

// find gives a file of a group by its path.
func find(p Body, group, at string) Body {
	for _, x := range List(p, group) {
		if file, _ := x.(Body); Text(file, "virtualPath") == at {
			return file
		}
	}
	return nil
}

// showNginx keeps the content of protected files to itself.
func showNginx(_ *Object, p Body) {
	for _, x := range List(p, "protectedFiles") {
		if file, ok := x.(Body); ok {
			sum := sha256.Sum256([]byte(Text(file, "content")))
			file["contentHash"] = hex.EncodeToString(sum[:])
			delete(file, "content")
		}
	}
}
