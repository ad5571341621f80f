package server

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxNames bounds how many names a client may ask for of one type, or tell that
	// it kept.
	maxNames = 20_000
	// maxName bounds a name, in bytes.
	maxName = 4096
	// maxStrange bounds of how many types that are not served a client may ask.
	maxStrange = 64
)

// tooMuch tells what a client asks beyond what it may. Names are counted over all
// requests of a stream, as long as they are asked for.
func tooMuch(url string, subscribed map[string]struct{}, kept map[string]string, lists ...[]string) error {
	n := max(len(subscribed), len(kept))
	for _, names := range lists {
		n = max(n, len(names))
		for _, name := range names {
			if len(name) > maxName {
				return status.Errorf(codes.InvalidArgument, "a name of %d bytes, at most %d are taken", len(name), maxName)
			}
		}
	}
	for name, version := range kept {
		if len(name)+len(version) > maxName {
			return status.Errorf(codes.InvalidArgument, "a name and its version of %d bytes, at most %d are taken", len(name)+len(version), maxName)
		}
	}
	switch {
	case n > maxNames:
		return status.Errorf(codes.ResourceExhausted, "%d names of one type, at most %d may be asked for", n, maxNames)
	case len(url) > maxName:
		return status.Errorf(codes.InvalidArgument, "a type's name of %d bytes, at most %d are taken", len(url), maxName)
	}
	return nil
}

// passOver takes a request for a type that is not served: it must not end the
// stream, nor may what it names be heaped up.
func (s *stream) passOver(url string) (func(), error) {
	if len(s.strange) >= maxStrange && !s.strange[url] {
		return nil, status.Errorf(codes.ResourceExhausted, "more than %d types that are not served", maxStrange)
	}
	if s.strange == nil {
		s.strange = map[string]bool{}
	}
	s.strange[url] = true
	return func() {}, nil
}
