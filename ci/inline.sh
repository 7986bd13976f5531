#!/usr/bin/env bash
# Fails if the compiler can no longer inline what is called for every message.
# Some of these functions are a few nodes below the compiler's limit of 80, and a
# line more makes each message slower without any test that fails. Checks with the
# installed Go only: each release counts a little differently.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Package and function, as "func" or "type.method".
must_inline='
./internal/xsync	Mutex.TryLock
./internal/xsync	Mutex.Unlock
./internal/outbox	Outbox.openLocked
./internal/outbox	Outbox.bufferLocked
./internal/outbox	Outbox.fitsLocked
./internal/outbox	Outbox.commitLocked
./internal/outbox	Outbox.traceLocked
./internal/outbox	Outbox.wantTakeOverLocked
./internal/inbox	Inbox.publish
./internal/inbox	Inbox.Filled
./internal/inbox	Inbox.Release
./internal/backlog	Backlog.On
'

failed=0
for package in $(awk 'NF { print $1 }' <<<"$must_inline" | sort -u); do
	# The go command repeats what the compiler has said if nothing has changed.
	said=$(go build -gcflags=-m=2 "$package" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
	for function in $(awk -v p="$package" '$1 == p { print $2 }' <<<"$must_inline"); do
		type=${function%.*} method=${function##*.}
		if [[ $type == "$function" ]]; then
			spelled=$function
		else # the compiler writes (*T).f or T.f
			spelled="(\\(\\*$type\\)|$type)\\.$method"
		fi
		verdict=$(grep -E ": (can|cannot) inline $spelled(\\[[^]]*\\])?( with|:|\$)" <<<"$said" | sort -u || true)
		if grep -q ': can inline ' <<<"$verdict"; then
			printf '%s %s: cost %s\n' "$package" "$function" "$(sed -n 's/.* with cost \([0-9]*\) as.*/\1/p' <<<"$verdict" | sort -n | tail -1)"
		else
			printf '%s %s: not inlined: %s\n' "$package" "$function" "${verdict:-there is no such function}" >&2
			failed=1
		fi
	done
done
if ((failed)); then
	echo 'Make the function smaller, move its rare part into another, or measure (ci/bench.sh) and take it off the list in ci/inline.sh.' >&2
fi
exit $failed
