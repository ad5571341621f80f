package server

// Evict ends the streams of the clients for which gone is true, and counts them. They
// keep what they have, connect anew and are admitted anew. gone is called for one
// client after another and must not call the server.
func (s *Server) Evict(gone func(Peer) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st, end := range s.streams {
		st.client.mu.Lock()
		peer := st.client.peer
		st.client.mu.Unlock()
		if peer.Role != "" && gone(peer) {
			end()
			n++
		}
	}
	return n
}
