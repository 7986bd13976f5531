#!/usr/bin/env bash
# Compiles the programs with the jars of libnetty-java and libmsgpack-java.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

jars=/usr/share/java
path=
for jar in netty-buffer netty-codec netty-common netty-resolver netty-transport msgpack-core; do
	path+=$jars/$jar.jar:
done
mkdir -p classes
javac -Xlint:all,-processing,-classfile,-path -cp "$path" -d classes Order.java Peer.java
printf '%s' "$path$PWD/classes" >classes/path
