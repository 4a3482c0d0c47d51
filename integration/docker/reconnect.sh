#!/bin/bash
# Takes back everything that partition.sh and netem.sh did.
. "$(dirname "$0")/lib.sh"

usage() {
    cat <<'END'
usage: reconnect.sh ["<node>..."]

Takes back what partition.sh and netem.sh did, on the given nodes or on all that run.
END
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
esac
if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ -z "${1// /}" ]; }; then
    usage >&2
    exit 2
fi
# shellcheck disable=SC2086 # words
[ $# -eq 0 ] || require $1
one() {
    as_root "$1" iptables -D OUTPUT -j $chain
    as_root "$1" iptables -F $chain
    as_root "$1" iptables -X $chain
    as_root "$1" tc qdisc del dev eth0 root
} 2>/dev/null
done_nodes=
for node in ${1:-$all_nodes}; do
    [ -n "$(container "$node")" ] || continue
    one "$node" &
    done_nodes+=" $node"
done
wait
[ -n "$done_nodes" ] || fail "no node of five-nodes.yml is running."
echo "reconnected:$done_nodes"
