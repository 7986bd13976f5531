// Package interop lets the library meet programs in other languages, which are in interop/ and in
// examples/python and examples/original: each as a client and as a server.
//
// A program reads tasks from its standard input, a line each, until that ends:
//
//	client PORT CASE [ARGUMENT]    connects to the port of 127.0.0.1
//	server 0 CASE [ARGUMENT]       listens, and prints READY and its port
//
// It does what the case says with one connection, and prints DONE and what came of it.
//
//	echo              sends back what comes, decoded and encoded again, until the peer has ended
//	send NAME         sends the value of that name as its language has it, ends, and reads on
//	flood N           sends the numbers from 0 to N-1 while it reads
//	finish            sends three values, ends at once, and reads on
//	close             ends at once, and reads on
//	cut HEX           sends bytes and closes the connection
//	bytes N           sends a payload of N bytes, and then sends back what comes
//	takes N           sends back what comes, of N bytes at most
//
// In named mode there are more: violate HEX, other, idle, union, and describe TEXT.
//
// What came of it is the number of messages and how the connection has ended: "3 clean", "0 code 2",
// "0 lost", "0 too large", "0 refused", or "cannot" if there is no such value in that language.
package interop
