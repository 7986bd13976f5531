#!/usr/bin/env bash
# Runs the cases of docs/reliability.md and prints what each has measured.
#
#	ci/faults.sh                 all that need no more than seconds
#	ci/faults.sh -full           with the full counts, some minutes
#	ci/faults.sh -idle 10000     and 10,000 idle connections; needs ulimit -n 10100
#	ci/faults.sh -soak 30m       and half an hour of random faults
#	ci/faults.sh -race           any flags of go test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

own=() every=() # flags of tests/faults, flags of go test
while (($#)); do
	case $1 in
	-full | -full=* | -idle=* | -soak=*) own+=("$1") ;;
	-idle | -soak) own+=("$1" "${2:?}") && shift ;;
	*) every+=("$1") ;;
	esac
	shift
done
run=(go test -count=1 -timeout=0 -run Fault -v)

{
	failed=0
	"${run[@]}" "${every[@]}" ./tests/hostile/... || failed=1
	"${run[@]}" "${every[@]}" ./tests/faults "${own[@]}" || failed=1
	exit $failed
} | awk '
	/^=== / || /no tests to run/ { next }
	/^ *[a-z_0-9]+_test\.go:[0-9]+: / {
		sub(/^ *[a-z_0-9]+_test\.go:[0-9]+: /, "")
		if (corpus()) next
		figures[++n] = $0
		next
	}
	/^--- / {
		print "\n" $3 " " $2 " " $4
		for (i = 1; i <= n; i++) print "\t" figures[i]
		n = 0
		next
	}
	/^ *---/ { if (!/PASS|SKIP/) print; next }
	{ print }
	function corpus() { return / KiB  / } # a line for each payload of a corpus
'
