// Package service tests what is around a healthy connection: what two ends tell each other of
// failures, servers that drain and restart, and ends of before these things.
package service
