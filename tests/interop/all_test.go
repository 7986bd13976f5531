package interop

func allPeers() []peer              { return peers }
func allTrials() []trial            { return trials }
func allSuits(c trial, p peer) bool { return c.suits(p) }
