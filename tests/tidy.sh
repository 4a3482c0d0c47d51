#!/bin/sh
# The rules of the house that a program can check. Usage: tests/tidy.sh [--deep]
#
# Prints the offending lines, then "ok lint <rule>" or "FAIL lint <rule>" for each rule. Lines that
# begin with "note" are for the reader and fail nothing. --deep runs clang-tidy and cppcheck as well
# (minutes; `make nightly` does).
set -u
CC=${CC:-gcc}
B=${B:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# The files of the project: what git knows or would take.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard
else
    find . -type f -not -path './.git/*' -not -path "./$B/*" -not -path './data/*' | sed 's|^\./||'
fi | sort -u | while read -r f; do [ -f "$f" ] && echo "$f"; done >"$work/all"
grep -E '^(src|resp|raft|check|tests|integration)/.*\.[ch]$' "$work/all" >"$work/c"
grep -E '^(src|resp|raft|check)/.*\.[ch]$' "$work/all" >"$work/product"

# verdict RULE FILE-OF-OFFENCES
verdict() {
    if [ -s "$2" ]; then
        head -40 "$2" | sed 's/^/  /'
        [ "$(wc -l <"$2")" -le 40 ] || echo "  ... $(wc -l <"$2") in all"
        echo "FAIL lint $1"
        failed=1
    else
        echo "ok lint $1"
    fi
}

# Lines and functions.
xargs awk -f tests/tidy.awk <"$work/c" >"$work/found"
for rule in blanks todo assertions portable goto banned length; do
    sed -n "s/^$rule //p" "$work/found" >"$work/rule"
    verdict "$rule" "$work/rule"
done
sed -n 's/^note /note /p' "$work/found"

# Files: their length, their last line, the names of folders. Two programs for all files: a process for each would take a minute where that is slow.
xargs wc -l <"$work/c" | awk '$2 != "total" { print $2 ":" $1 }' | sort >"$work/ends"
xargs grep -c '' /dev/null <"$work/c" | grep -v '^/dev/null:' | sort >"$work/lines"
: >"$work/rule"
awk -F : -v rule="$work/rule" '
    FNR == NR { ends[$1] = $2; next }
    $2 > 900 { print $1 ": " $2 " lines (900 at most; 150 to 400 is the aim)" > rule }
    $2 > 600 && $2 <= 900 { print "note " $1 ": " $2 " lines: past 600 it wants a reason" }
    ends[$1] != $2 { print $1 ": no newline at its end" > rule }' "$work/ends" "$work/lines"
grep -E '[A-Z ]' "$work/c" | sed 's/$/: file names are lower_snake/' >>"$work/rule"
verdict files "$work/rule"

# Every header compiles alone and has the guard that its path gives.
grep '\.h$' "$work/c" >"$work/headers"
# src/base/x.h: BASE_X_H; raft/raft_x.h: RAFT_X_H will do; elsewhere at least the file's own name.
xargs awk '
    function judge() { if (path != "" && !is_good) print path ": its guard should be " guard }
    FNR == 1 {
        judge()
        path = FILENAME; is_good = 0
        n = split(path, part, "/")
        file = toupper(part[n]); sub(/\.H$/, "", file)
        room = toupper(part[n - 1])
        guard = room "_" file "_H"
        other = index(file, room "_") == 1 ? file "_H" : guard
        if (path ~ /^(tests|integration)\//) other = "[A-Z_]*" file "_H"
    }
    $0 ~ "^#ifndef (" guard "|" other ")$" { is_good = 1 }
    END { judge() }' <"$work/headers" >"$work/rule"
# hiredis may be missing where only the server is built.
grep -v '^integration/' "$work/headers" |
    xargs -n 16 -P "$(nproc)" "$CC" -std=c11 -D_POSIX_C_SOURCE=200809L -I. -Isrc -fsyntax-only -x c 2>"$work/error" ||
    { echo "a header does not compile alone:"; head -40 "$work/error"; } >>"$work/rule"
verdict headers "$work/rule"

# A source includes its own header first (or its siblings' internal one), then libc, system, project.
grep '\.c$' "$work/product" | xargs awk -v headers="$work/headers" '
    BEGIN { while ((getline line < headers) > 0) exists[line] = 1 }
    FNR == 1 { seen = 0; own = FILENAME; sub(/c$/, "h", own); wanted = own; sub(/^src\//, "", wanted) }
    /^#include/ && !seen++ && (own in exists) {
        sub(/^#include */, "")
        if (!index($0, wanted) && !/_internal\.h/) print FILENAME ": includes " $0 " before its own header"
    }' >"$work/rule"
verdict include-order "$work/rule"

# No state outside the objects that are passed around: the library has no writable data. mem.c counts
# what the allocator, which is process-wide, gave out.
: >"$work/rule"
lib=$B/plain/release/libcoracle.a # not optimised as a whole: its objects are machine code
if [ -e "$lib" ]; then
    objdump -t "$lib" 2>/dev/null | awk '
        / file format / { object = $1; sub(/:$/, "", object) }
        $0 ~ /[ \t]O[ \t]+\.(data|bss|tdata|tbss|data\.rel|data\.rel\.local)[ \t.]/ && !/\.data\.rel\.ro/ && object != "mem.o" {
            print object ": " $NF " is writable state (" $4 ")"
        }
        object == "mem.o" && / F / { is_code = 1 }
        END { if (!is_code) print "its objects tell nothing" }' >"$work/rule"
    verdict globals "$work/rule"
else
    echo "note lint globals: left out, $lib is not built"
fi

# Scripts end processes by the id of what they started.
grep -nE '(^|[^a-z])(pkill|killall)([^a-z]|$)' $(grep -E '^(tests|integration|\.ci)/|^Makefile' "$work/all" | grep -v '^tests/tidy') \
    >"$work/rule" 2>/dev/null
verdict processes "$work/rule"

# Files, targets, options and tests that the documents name exist.
tests/check-docs >"$work/rule"
verdict docs "$work/rule"

# Shell scripts parse.
: >"$work/rule"
grep -E '^(tests|integration|\.ci)/' "$work/all" | grep -vE '\.(c|h|txt|bin)$|/corpus/' |
    xargs awk 'FNR == 1 { if (/^#!\/bin\/(ba)?sh/) print (/bash/ ? "bash" : "sh"), FILENAME; nextfile }' >"$work/scripts" 2>/dev/null
while read -r shell f; do "$shell" -n "$f" 2>>"$work/rule"; done <"$work/scripts"
verdict scripts "$work/rule"

if [ "${1:-}" = --deep ]; then
    if command -v clang-tidy >/dev/null 2>&1; then
        grep '\.c$' "$work/product" | xargs -n 4 -P "$(nproc)" sh -c '
            clang-tidy --quiet "$@" -- -std=c11 -D_POSIX_C_SOURCE=200809L -I. -Isrc 2>/dev/null' sh |
            grep -E 'warning:|error:' | sort -u >"$work/rule"
        verdict clang-tidy "$work/rule"
    fi
    if command -v cppcheck >/dev/null 2>&1; then
        cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr -I. -Isrc \
            --template='{file}:{line}: {id}: {message}' src resp raft check 2>"$work/rule"
        verdict cppcheck "$work/rule"
    fi
fi
exit $failed
