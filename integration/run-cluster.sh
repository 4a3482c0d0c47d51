#!/bin/bash
# Starts a coracle cluster on this machine and stops it on Ctrl-C. Usage: run-cluster.sh [program]
# `make run` calls it.
#
#   NODES=1|3|5   how many nodes (default 3)
#   PORT=7001     the first node's port; the others follow
#   DATA=data     where each node's data and log are kept (data/<port>); they are used again next time
set -u
cd "$(dirname "$0")/.." || exit 1

program=${1:-build/release/coracle}
nodes=${NODES:-3}
first_port=${PORT:-7001}
data=${DATA:-data}
start_seconds=30 # until a leader serves
stop_seconds=10  # until a node that was told to stop is killed

fail() {
    echo "run: $*" >&2
    exit 1
}

case $nodes in
1 | 3 | 5) ;;
*) fail "NODES is 1, 3 or 5, not '$nodes'." ;;
esac
case $first_port in
*[!0-9]* | '' | 0* | ??????*) fail "PORT is a number from 1 on, not '$first_port'." ;;
esac
[ $((first_port + nodes - 1)) -le 65535 ] || fail "PORT=$first_port leaves no room for $nodes ports up to 65535."
[ -x "$program" ] || fail "$program is missing: run make first."

ports=()
cluster=
for ((i = 0; i < nodes; i++)); do
    ports+=($((first_port + i)))
    cluster+=${cluster:+,}127.0.0.1:$((first_port + i))
done

# Everything is checked before anything starts.
for port in "${ports[@]}"; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        fail "port $port is taken (is another cluster running?). Stop that program, or choose other ports: make run PORT=7101 DATA=data-7101"
    fi
done
mkdir -p "$data" || fail "can't make the folder $data."
if [ -e "$data/cluster" ] && [ "$(cat "$data/cluster")" != "$cluster" ]; then
    fail "$data/ holds the cluster $(cat "$data/cluster"). Run that one, or choose another folder: make run NODES=$nodes DATA=data-$nodes"
fi
echo "$cluster" >"$data/cluster"

pids=()
stopping=

# Ends one node: by its own pid, waits, and kills it only if it does not end by itself.
await() {
    local pid=$1 deadline=$((SECONDS + stop_seconds))
    while kill -0 "$pid" 2>/dev/null; do
        if [ $SECONDS -ge $deadline ]; then
            echo "run: pid $pid did not stop within $stop_seconds s: killing it." >&2
            kill -KILL "$pid" 2>/dev/null
            break
        fi
        sleep 0.05
    done
    wait "$pid" 2>/dev/null
}
stop_all() {
    stopping=1
    trap '' INT TERM HUP
    local pid
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null
    done
    for pid in "${pids[@]}"; do
        await "$pid"
    done
}
on_signal() {
    echo
    echo "Stopping..."
    stop_all
    echo "Stopped. The data is kept in $data/; make run goes on with it."
    exit 0
}
trap on_signal INT TERM HUP

for port in "${ports[@]}"; do
    mkdir -p "$data/$port" || fail "can't make the folder $data/$port."
    # A session of its own, so that Ctrl-C reaches only this script, which then stops them in order.
    setsid "$program" --port "$port" --dir "$data/$port" --cluster "$cluster" \
        --logfile "$data/$port/coracle.log" </dev/null >"$data/$port/output.log" 2>&1 &
    pids+=($!)
done

# One line of the text protocol out, one line back.
ask() {
    local port=$1 line=$2 answer
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s\n' "$line" >&3
    IFS= read -r -t 2 answer <&3
    exec 3>&-
    printf '%s' "$answer"
} 2>/dev/null

show_end() {
    local port=$1
    echo "run: the node on port $port ended. The end of its log:" >&2
    tail -n 5 "$data/$port/output.log" "$data/$port/coracle.log" 2>/dev/null | sed 's/^/    /' >&2
}

# A read that needs a leader, on every node: an answer means that the cluster serves.
echo "Starting $nodes node(s)..."
deadline=$((SECONDS + start_seconds))
for i in "${!ports[@]}"; do
    port=${ports[$i]}
    while :; do
        for j in "${!pids[@]}"; do
            if ! kill -0 "${pids[$j]}" 2>/dev/null; then
                show_end "${ports[$j]}"
                stop_all
                exit 1
            fi
        done
        case $(ask "$port" "get coracle-run-probe") in
        *"Key not found."* | *" -> "*) break ;;
        esac
        if [ $SECONDS -ge $deadline ]; then
            echo "run: no answer from port $port after $start_seconds s; see $data/*/coracle.log." >&2
            stop_all
            exit 1
        fi
        sleep 0.1
    done
done

last=${ports[-1]}
cat <<END

$nodes node(s) are running on 127.0.0.1, ports ${ports[*]} (pids ${pids[*]}).
Any node answers anything. Try:

    redis-cli -p $first_port set greeting hello
    printf 'get greeting\nstatus\n' | nc -q1 127.0.0.1 $last

Data and logs: $data/<port>/ (log: coracle.log). Ctrl-C stops all.
END

# A node may be killed to see what happens; the others go on.
alive=("${pids[@]}")
while [ ${#alive[@]} -gt 0 ] && [ -z "$stopping" ]; do
    wait -n "${alive[@]}"
    still=()
    for j in "${!pids[@]}"; do
        pid=${pids[$j]}
        case " ${alive[*]} " in *" $pid "*) ;; *) continue ;; esac
        if kill -0 "$pid" 2>/dev/null; then
            still+=("$pid")
        else
            show_end "${ports[$j]}"
        fi
    done
    alive=("${still[@]}")
done
echo "run: no node is left." >&2
exit 1
