# The rules of tests/tidy.sh that concern one line or one function. Prints "<rule> <file>:<line>: <text>".
# Comments and the insides of strings are taken out first, so that talking about a thing is allowed.

BEGIN {
    # The only places where a file may be opened, a clock read, memory taken from libc.
    split("strcpy strcat stpcpy sprintf vsprintf gets strtok alloca tmpnam mktemp", words, " ")
    for (i in words) banned[words[i]] = "unsafe"
    split("strtok_r strncat atoi atol atof atoll setlocale signal system popen getenv", words, " ")
    for (i in words) unwanted[words[i]] = 1
    split("rand srand random srandom rand_r drand48 arc4random getrandom getentropy", words, " ")
    for (i in words) chance[words[i]] = 1
    split("time gettimeofday clock_gettime clock localtime localtime_r gmtime gmtime_r ev_now ev_time nanosleep usleep sleep", words, " ")
    for (i in words) clock[words[i]] = 1
    split("open openat fopen fdopen freopen creat mkstemp opendir rename unlink mkdir ftruncate fallocate posix_fallocate", words, " ")
    for (i in words) files[words[i]] = 1
    split("malloc calloc realloc free strdup strndup aligned_alloc posix_memalign", words, " ")
    for (i in words) memory[words[i]] = 1
    split("printf puts putchar perror fprintf vfprintf fputs fputc fwrite", words, " ")
    for (i in words) output[words[i]] = 1
}

function report(rule, text) { print rule " " FILENAME ":" FNR ": " text }

FNR == 1 {
    in_comment = 0
    depth = 0
    function_start = 0
    is_test = FILENAME ~ /^(tests|integration)\// || FILENAME == "check/main.c" # main.c of the checker: a tool, no server
    is_client = FILENAME ~ /^src\/transfer\//
    is_net = FILENAME ~ /^src\/net\// || FILENAME ~ /^src\/main\.c$/ || is_client
    is_vfs = FILENAME ~ /^src\/storage\/vfs_posix(_reaper)?\.c$/
    guard = ""
}

# --- The raw line ---
/[ \t]$/ { report("blanks", "ends in a blank") }
/\t/ { report("blanks", "holds a tab") }
/\r/ { report("blanks", "holds a carriage return") }
/TODO|FIXME|(^|[^X])XXX([^X]|$)/ {
    if ($0 !~ /TODO\(#[0-9]+\): /) report("todo", "write TODO(#<issue>): ...")
}
/(\/\/|\/\*)[ \t]*(ASSERT|CHECK|REQUIRE)[A-Z_]*\(/ { report("assertions", "an assertion is commented out") }

{
    line = $0
    gsub(/\\\\/, "", line)
    gsub(/\\"/, "", line)
    gsub(/'"'/, "' '", line)
    # Strings first where one begins before a comment does, and the other way round.
    out = ""
    while (line != "") {
        if (in_comment) {
            at = index(line, "*/")
            if (!at) { line = ""; break }
            line = substr(line, at + 2)
            in_comment = 0
            continue
        }
        c = index(line, "/*")
        s = index(line, "\"")
        l = index(line, "//")
        if (l && (!c || l < c) && (!s || l < s)) { out = out substr(line, 1, l - 1); line = ""; break }
        if (s && (!c || s < c)) {
            out = out substr(line, 1, s)
            line = substr(line, s + 1)
            e = index(line, "\"")
            if (!e) { line = ""; break }
            out = out "\""
            line = substr(line, e + 1)
            continue
        }
        if (c) { out = out substr(line, 1, c - 1) " "; line = substr(line, c + 2); in_comment = 1; continue }
        out = out line
        line = ""
    }
    code = out
}

# --- The code ---
code ~ /^[ \t]*#[ \t]*if[ \t]+0/ { report("assertions", "#if 0: delete the code instead") }
code ~ /NDEBUG/ { report("assertions", "assertions are on in every build") }
code ~ /#[ \t]*(define|undef)[ \t]+(ASSERT|ASSERT_SLOW)([^A-Z_]|$)/ && FILENAME !~ /base\/assert\.h$/ {
    report("assertions", "redefines an assertion")
}
code ~ /#[ \t]*include[ \t]*<assert\.h>/ { report("assertions", "<assert.h> can be switched off: base/assert.h") }
code ~ /#[ \t]*define[ \t]+_GNU_SOURCE/ && !is_net && !is_vfs && !is_test { report("portable", "_GNU_SOURCE outside src/net and vfs_posix*.c") }
code ~ /#[ \t]*pragma[ \t]+(GCC|clang)[ \t]+diagnostic/ && !is_net { report("portable", "warnings are fixed, not silenced") }
code ~ /(^|[^a-z_])goto[ \t]+[a-z]/ {
    label = code
    sub(/.*goto[ \t]+/, "", label)
    sub(/;.*/, "", label)
    if (label !~ /^(out|fail|again|done|next)/) report("goto", "goto " label ": only to a single cleanup path")
}

{
    rest = code
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ ]?\(/)) {
        before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
        name = substr(rest, RSTART, RLENGTH)
        sub(/[ ]?\($/, "", name)
        rest = substr(rest, RSTART + RLENGTH)
        # A member (vfs->open) is not libc's function.
        if (before == "." || before == ">") continue
        if (name in banned) report("banned", name "(): " banned[name])
        if (is_test) continue
        if (name in unwanted && !is_client) report("banned", name "(): not in the server")
        if (name in chance && !is_net) report("banned", name "(): chance comes in through src/net only")
        if (name in clock && !is_net && !is_vfs) report("banned", name "(): time comes in through src/net only")
        if (name in files && !is_vfs && !is_net) report("banned", name "(): only vfs_posix.c touches files")
        if (name in memory && FILENAME !~ /^src\/base\/mem\.[ch]$/) report("banned", name "(): mem_" name " and the like")
        if (name in output && !is_net && FILENAME !~ /^src\/base\/(assert|mem)\.c$/) report("banned", name "(): log lines go through base/log.h")
    }
}

# --- Length of functions: from a brace in the first column to the next one. ---
code ~ /^\{/ { function_start = FNR }
code ~ /^\}/ && function_start {
    length_of = FNR - function_start
    if (length_of > 100) report("length", "a function of " length_of " lines (100 at most; 40 is the aim)")
    else if (length_of > 70) report("note", "a function of " length_of " lines: past 70 it wants a reason")
    function_start = 0
}
