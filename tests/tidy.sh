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

# Files: their length, their last line, the names of folders.
: >"$work/rule"
while read -r f; do
    n=$(wc -l <"$f")
    if [ "$n" -gt 900 ]; then
        echo "$f: $n lines (900 at most; 150 to 400 is the aim)" >>"$work/rule"
    elif [ "$n" -gt 600 ]; then
        echo "note $f: $n lines: past 600 it wants a reason"
    fi
    [ -z "$(tail -c 1 "$f")" ] || echo "$f: no newline at its end" >>"$work/rule"
done <"$work/c"
grep -E '[A-Z ]' "$work/c" | sed 's/$/: file names are lower_snake/' >>"$work/rule"
verdict files "$work/rule"

# Every header compiles alone and has the guard that its path gives.
: >"$work/rule"
grep '\.h$' "$work/c" >"$work/headers"
while read -r f; do
    # src/base/x.h: BASE_X_H; raft/raft_x.h: RAFT_X_H will do; elsewhere at least the file's own name.
    file=$(basename "$f" .h | tr 'a-z' 'A-Z')
    room=$(basename "$(dirname "$f")" | tr 'a-z' 'A-Z')
    guard=${room}_${file}_H
    other=$guard
    case $file in "$room"_*) other=${file}_H ;; esac
    case $f in tests/* | integration/*) other="[A-Z_]*${file}_H" ;; esac
    grep -q -e "^#ifndef $guard\$" -e "^#ifndef $other\$" "$f" || echo "$f: its guard should be $guard" >>"$work/rule"
    # hiredis may be missing where only the server is built.
    case $f in integration/*) continue ;; esac
    printf '#include "%s"\n' "$f" | "$CC" -std=c11 -D_POSIX_C_SOURCE=200809L -I. -Isrc -fsyntax-only -x c - \
        2>"$work/error" || { echo "$f: does not compile alone"; head -5 "$work/error"; } >>"$work/rule"
done <"$work/headers"
verdict headers "$work/rule"

# A source includes its own header first (or its siblings' internal one), then libc, system, project.
: >"$work/rule"
grep '\.c$' "$work/product" | while read -r f; do
    header=${f%.c}.h
    [ -f "$header" ] || continue
    first=$(sed -n 's/^#include[ ]*\(.*\)$/\1/p' "$f" | head -1)
    case $first in
    *"${header#src/}"* | *_internal.h*) ;;
    *) echo "$f: includes $first before its own header" ;;
    esac
done >"$work/rule"
verdict include-order "$work/rule"

# No state outside the objects that are passed around: the library has no writable data. mem.c counts
# what the allocator, which is process-wide, gave out.
: >"$work/rule"
lib=$B/release/libcoracle.a
if [ -e "$lib" ]; then
    objdump -t "$lib" 2>/dev/null | awk '
        / file format / { object = $1; sub(/:$/, "", object) }
        $0 ~ /[ \t]O[ \t]+\.(data|bss|tdata|tbss|data\.rel|data\.rel\.local)[ \t.]/ && !/\.data\.rel\.ro/ && object != "mem.o" {
            print object ": " $NF " is writable state (" $4 ")"
        }' >"$work/rule"
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
while read -r f; do
    case $(head -1 "$f" 2>/dev/null | tr -d '\0') in
    '#!/bin/sh'*) sh -n "$f" 2>>"$work/rule" ;;
    '#!/bin/bash'*) bash -n "$f" 2>>"$work/rule" ;;
    esac
done <<END
$(grep -E '^(tests|integration|\.ci)/' "$work/all" | grep -vE '\.(c|h|txt|bin)$|/corpus/')
END
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
