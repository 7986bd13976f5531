//go:build !unix

package service

// serverEnv would make the process a server of TestRollingRestart, which takes signals.
const serverEnv = "QSOCKET_TEST_SERVER"

func runServer() {}
