#!/bin/bash
# Cuts the network between groups of nodes of five-nodes.yml. Nodes of one group go on reaching each other, and the host reaches all.
. "$(dirname "$0")/lib.sh"

usage() {
    cat <<'END'
usage: partition.sh [--drop | --one-way] "<node>..." "<node>..." ["<node>..."]

    partition.sh "node1 node2 node3" "node4 node5"

Packets between the groups are rejected, both ways, until reconnect.sh is called or a container is started anew.

  --drop      they vanish instead, without an answer: as with a pulled cable
  --one-way   only those from the first group to the others are rejected; the other way they pass
END
}

target=reject
ways=both
while :; do
    case ${1:-} in
    --drop) target=drop ;;
    --one-way) ways=one ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) break ;;
    esac
    shift
done
if [ $# -lt 2 ]; then
    usage >&2
    exit 2
fi
for group in "$@"; do
    # shellcheck disable=SC2086 # words
    set_of=($group)
    [ ${#set_of[@]} -gt 0 ] || fail "a group is empty."
    require "${set_of[@]}"
done
# shellcheck disable=SC2048,SC2086 # words
[ -z "$(printf '%s\n' $* | sort | uniq -d)" ] || fail "a node is in two groups."

# cut_off NODE "ADDRESS...": no packet for those addresses leaves NODE. Called for both ends, that cuts both ways.
cut_off() {
    local node=$1 ip
    as_root "$node" iptables -N $chain 2>/dev/null && as_root "$node" iptables -I OUTPUT -j $chain
    for ip in $2; do
        if [ $target = drop ]; then
            as_root "$node" iptables -A $chain -d "$ip" -j DROP
        else
            as_root "$node" iptables -A $chain -d "$ip" -p tcp -j REJECT --reject-with tcp-reset
            as_root "$node" iptables -A $chain -d "$ip" -j REJECT
        fi
    done || fail "iptables did not work in $node."
}

groups=("$@")
for i in "${!groups[@]}"; do
    [ $ways = one ] && [ "$i" -gt 0 ] && break
    others=
    for j in "${!groups[@]}"; do
        [ "$i" = "$j" ] && continue
        for node in ${groups[$j]}; do
            others+=" $(address "$node")"
        done
    done
    for node in ${groups[$i]}; do
        cut_off "$node" "$others" &
    done
done
wait
for i in "${!groups[@]}"; do
    echo "group $((i + 1)): ${groups[$i]}"
done
