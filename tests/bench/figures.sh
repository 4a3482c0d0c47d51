# Sourced by the scripts of this folder that measure in parts and end with a table, from the top of the tree, after they set PARTS (the
# names of all parts), NAME (of their folder) and WIDTHS (of the table's first three columns). Sets `dir` and `invalid`, starts what
# servers.sh needs, and ends everything at exit.
#
#   BENCH_ONLY=part,part          some parts
#   BENCH_DIR=build/bench         where data is kept while it runs; removed afterwards
#   CORACLE_BUILD=build/release   where the programs are
# shellcheck shell=bash
only=${BENCH_ONLY:-}
build=${CORACLE_BUILD:-build/release}
coracle=${CORACLE:-$build/coracle}
for program in redis-server redis-cli awk du; do
    command -v $program >/dev/null || { echo "bench: $program is missing (apt-get install redis-server redis-tools)" >&2; exit 2; }
done
for part in ${only//,/ }; do
    [[ " $PARTS " == *" $part "* ]] || { echo "bench: no part '$part'; there are: $PARTS" >&2; exit 2; }
done
mkdir -p "${BENCH_DIR:-build/bench}" && dir=$(mktemp -d "${BENCH_DIR:-build/bench}/$NAME.XXXXXX") || exit 2
dir=$(realpath "$dir")
invalid=
. tests/bench/servers.sh
finish() {
    stop_all
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

wanted() { [ -z "$only" ] || [[ ",$only," == *",$1,"* ]]; }
fail() {
    echo "bench: INVALID: $*" >&2
    invalid=1
}
# value_of LINE NAME: from "... name=value ..."
value_of() { sed -n "s/.*\b$2=\([0-9.]*\).*/\1/p" <<<"$1"; }
say() { echo "  $*"; }
now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/${pid[$1]}/status"; }
# Without a process that would compete with what is measured: the shell talks itself, and what it hears is in `answer`.
# tell SERVER WORD...: the first line of the reply
tell() {
    local word name=$1 text
    shift
    text="*$#"$'\r\n'
    for word; do text+="\$${#word}"$'\r\n'"$word"$'\r\n'; done
    answer=
    { exec {server}<>"/dev/tcp/127.0.0.1/${port[$name]}"; } 2>/dev/null || { fail "$name is not there"; return 1; }
    printf %s "$text" >&"$server"
    IFS= read -r -t 30 answer <&"$server"
    answer=${answer%$'\r'}
    exec {server}>&-
}
# ask SERVER SECTION FIELD...: fields of INFO, a blank between them, in INFO's order
ask() {
    local line name=$1 section=$2
    shift 2
    answer=
    { exec {server}<>"/dev/tcp/127.0.0.1/${port[$name]}"; } 2>/dev/null || { fail "$name is not there"; return 1; }
    printf '*2\r\n$4\r\nINFO\r\n$%d\r\n%s\r\n' ${#section} "$section" >&"$server"
    while [ $# -gt 0 ] && IFS= read -r -t 30 line <&"$server"; do
        [[ $line == "$1":* ]] || continue
        line=${line#*:}
        answer+=${answer:+ }${line%$'\r'}
        shift
    done
    [ $# -eq 0 ] || fail "$name does not tell $*"
    exec {server}>&-
}
exec {never}<> <(:)
pause() { read -r -t "$1" -u "$never" || true; }
# wait_saved SERVER...: until no snapshot is being made
wait_saved() {
    local n end=$((${EPOCHREALTIME/[.,]/} / 1000 + 240000))
    for n in "$@"; do
        while ask "$n" persistence rdb_bgsave_in_progress && [ "$answer" != 0 ]; do
            [ $((${EPOCHREALTIME/[.,]/} / 1000)) -lt $end ] || { fail "$n still makes a snapshot after 240 s"; return; }
            pause 0.05
        done
    done
}

# What any program waits for here, told beside the longest turns of a loop: ones that only look at the clock, one on each processor, and one
# that touches new memory. Loops wait for each other too, where there are more threads than processors.
tell_pauses() {
    local line
    line=$("$build/coracle-load" --pauses 2048) || { fail "coracle-load --pauses"; return; }
    say "this machine alone: $line"
    row "beside: a loop that only looks at the clock, $(value_of "$line" seconds) s, on each processor" "told only" "$(awk -v l="$(value_of "$line" clock_longest_us)" 'BEGIN { print l / 1000 }') ms ($(value_of "$line" clock_over_5ms) over 5 ms)" 1
    row "beside: a program that only touches 2 GiB of new memory: its longest wait" "told only" "$(awk -v l="$(value_of "$line" touch_longest_us)" 'BEGIN { print l / 1000 }') ms for one page" 1
}

# ---- the table ----

: >"$dir/table"
line_of_table() {
    # shellcheck disable=SC2086 # three widths
    set -- $WIDTHS "$@"
    printf "| %-$1s | %-$2s | %-$3s | %s |\n" "${@:4}"
}
# row WHAT TARGET MEASURED OK: OK is an awk condition
row() {
    local verdict=MISSED
    awk "BEGIN { exit !($4) }" && verdict=reached
    line_of_table "$1" "$2" "$3" $verdict >>"$dir/table"
}
# The table; ends the script.
finish_table() {
    echo
    line_of_table what target measured verdict
    echo "| --- | --- | --- | --- |"
    cat "$dir/table"
    [ -z "$invalid" ] || echo "INVALID: see above"
    exit ${invalid:-0}
}
