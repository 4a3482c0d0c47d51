#!/bin/bash
# Makes the network of nodes of five-nodes.yml bad, by tc's netem: the kernel needs its module sch_netem.
. "$(dirname "$0")/lib.sh"

usage() {
    cat <<'END'
usage: netem.sh "<node>..." <what>...

  loss <percent>                netem.sh "node1 node2" loss 20
  duplicate <percent>           netem.sh "node1" duplicate 30
  delay <ms> [<jitter ms>]      netem.sh "node1 node2 node3 node4 node5" delay 100 20
  reorder <percent>             of the packets overtake the others, which are 20 ms late

They may be combined: netem.sh "node3" loss 5 duplicate 5 delay 40 10
What a node sends is what suffers. A second call replaces the first; reconnect.sh takes it back.
END
}
usage_error() {
    usage >&2
    exit 2
}
is_number() {
    case ${1:-} in '' | *[!0-9.]* | *.*.*) return 1 ;; esac
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
esac
[ $# -ge 2 ] && [ -n "${1// /}" ] || usage_error
nodes=$1
shift
words=()
has_delay=
reorder=
while [ $# -gt 0 ]; do
    is_number "${2:-}" || usage_error
    case $1 in
    loss | duplicate) words+=("$1" "$2%") ;;
    delay)
        words+=(delay "$2ms")
        has_delay=1
        if is_number "${3:-}"; then
            words+=("$3ms")
            shift
        fi
        ;;
    reorder) reorder=$2 ;;
    *) usage_error ;;
    esac
    shift 2
done
if [ -n "$reorder" ]; then
    # netem sends this share at once and delays the rest: without a delay there is nothing to overtake.
    [ -n "$has_delay" ] || words=(delay 20ms "${words[@]}")
    words+=(reorder "$reorder%" "50%")
fi
# shellcheck disable=SC2086 # words
require $nodes
for node in $nodes; do
    as_root "$node" tc qdisc replace dev eth0 root netem "${words[@]}" ||
        fail "netem does not work here ($node). Does the kernel have it? (modprobe sch_netem, on the host)"
    echo "$node: netem ${words[*]}"
done
