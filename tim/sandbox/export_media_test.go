package sandbox

import "github.com/timbridge/timbridge/tim"

// Remote opens clients as for somebody on the network.
func (s *Sandbox) Remote() tim.Driver { return remoteDriver{s} }
