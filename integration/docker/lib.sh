# Shared by the scripts of this folder: finds the containers of integration/docker/five-nodes.yml by their label.
# shellcheck shell=bash
set -u
me=$(basename "$0")
chain=CORACLE-SPLIT
all_nodes="node1 node2 node3 node4 node5"

fail() {
    echo "$me: $*" >&2
    exit 1
}
# container NODE: its id, if it runs.
container() {
    docker ps -q --filter "label=coracle.node=$1"
}
require() {
    local node
    for node in "$@"; do
        [ "$(container "$node" | wc -w)" -eq 1 ] || fail "$node is not running (or twice). Start the five nodes with
    docker-compose -f integration/docker/five-nodes.yml -p coracle-five up -d"
    done
}
address() {
    docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(container "$1")"
}
# as_root NODE COMMAND...: inside the container, with its NET_ADMIN.
as_root() {
    local node=$1
    shift
    docker exec --user root "$(container "$node")" "$@"
}
