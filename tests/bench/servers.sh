# Sourced by the scripts of this folder, from the top of the tree: servers that are measured. They set before: `dir` (a folder of
# their own) and `coracle` (the program).
# shellcheck shell=bash
declare -A pid=() port=()

# ---- servers: each is started and ended by its own pid ----

stop() {
    local name=$1
    [ -n "${pid[$name]:-}" ] || return 0
    kill -KILL "${pid[$name]}" 2>/dev/null
    wait "${pid[$name]}" 2>/dev/null
    unset "pid[$name]"
}
stop_all() {
    local name
    for name in "${!pid[@]}"; do stop "$name"; done
    rm -rf "$dir/data"
}
# A free port below those that the kernel gives to clients.
free_port() {
    local p
    while :; do
        p=$((15000 + RANDOM % 16000))
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || break
    done
    echo $p
}
cli() {
    local name=$1
    shift
    timeout 5 redis-cli -p "${port[$name]}" "$@" 2>&1
}
# info SYSTEM SECTION FIELD
info() { cli "$1" INFO "$2" | tr -d '\r' | sed -n "s/^$3://p"; }

# await NAME WANTED WORD...: until the server says that to this command; ends the script after 10 s
await() {
    local name=$1 wanted=$2
    shift 2
    for _ in $(seq 200); do
        [ "$(cli "$name" "$@")" = "$wanted" ] && return
        sleep 0.05
    done
    echo "bench: $name does not start:" >&2
    cat "$dir/$name.log" >&2
    exit 2
}
start_redis() {
    local name=$1
    shift
    port[$name]=$(free_port)
    mkdir -p "$dir/data/$name"
    redis-server --port "${port[$name]}" --dir "$dir/data/$name" --save '' --auto-aof-rewrite-percentage 0 "$@" >"$dir/$name.log" 2>&1 &
    pid[$name]=$!
    await "$name" PONG PING
}
# start_node NAME FLAG...
start_node() {
    local name=$1
    shift
    mkdir -p "$dir/data"
    "$coracle" --port "${port[$name]}" --dir "$dir/data/$name" --cluster "$members" "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    pid[$name]=$!
}
# start_alone NAME FLAG...: a cluster of one, and `leader`
start_alone() {
    local name=$1
    shift
    port[$name]=$(free_port)
    leader=$name
    mkdir -p "$dir/data"
    "$coracle" --port "${port[$name]}" --dir "$dir/data/$name" "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    pid[$name]=$!
    await "$name" OK SET warm up
}
# Sets `leader` to the node that leads.
find_leader() {
    local n try
    for try in $(seq 500); do
        for n in node1 node2 node3; do
            [ -n "${pid[$n]:-}" ] || continue
            if [ "$(info $n raft raft_role)" = leader ]; then
                leader=$n
                return 0
            fi
        done
        sleep 0.02
    done
    echo "bench: no leader after 10 s; the nodes' last lines:" >&2
    tail -n 5 "$dir"/node?.log >&2
    exit 2
}
# start_cluster FLAG...: node1 to node3, and `leader`
start_cluster() {
    local n
    for n in node1 node2 node3; do port[$n]=$(free_port); done
    members=127.0.0.1:${port[node1]},127.0.0.1:${port[node2]},127.0.0.1:${port[node3]}
    for n in node1 node2 node3; do start_node $n "$@"; done
    find_leader
}

# ---- counters ----

# User and system time of some servers, in seconds.
cpu_of() {
    local n total=0
    for n in "$@"; do
        total=$((total + $(sed 's/^.*) //' "/proc/${pid[$n]}/stat" | awk '{ print $12 + $13 }')))
    done
    awk -v t=$total -v hz="$(getconf CLK_TCK)" 'BEGIN { print t / hz }'
}
