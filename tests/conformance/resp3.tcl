# The suite's client speaks RESP3 where a test does not choose a protocol itself: read at the end of the suite's
# tests/support/redis.tcl when the environment has RESP=3 (see run, fetch).
#
# Redis 7.0's suite was written for RESP2, so what a test gets here has the shape that RESP2 would give it: a double is
# its text, the pairs of a member and its score (or a field and its value) come flat, and a push that tells of an
# invalidated key is the message that a RESP2 client is redirected. Maps, sets and nulls look alike to Tcl anyway. Three
# rules:
#   1. A connection begins with HELLO 3. Its replies are `shaped` as said above.
#   2. A test's own HELLO 3 ends the shaping: it knows what it asks for. Its HELLO 2 afterwards begins it again, and
#      what is sent is HELLO 3.
#   3. While a test reads raw bytes (readraw) a shaped connection is in RESP2, but for within a transaction, where HELLO
#      would be queued.

array set ::redis::shaped {}
array set ::redis::asked {}
array set ::redis::queues {}
array set ::redis::depth {}

rename redis ::redis::connect
proc redis {{server 127.0.0.1} {port 6379} {defer 0} {tls 0} {tlsoptions {}} {readraw 0}} {
    set handle [::redis::connect $server $port $defer $tls $tlsoptions $readraw]
    set ::redis::shaped($::redis::id) 0 ;# or 1, or "raw": shaped, but for the raw bytes that the test reads now
    set ::redis::asked($::redis::id) {} ;# the command whose reply comes next
    set ::redis::queues($::redis::id) 0 ;# whether it is in a transaction
    set ::redis::depth($::redis::id) 0 ;# of the replies within replies that are being read
    if {!$readraw} {
        ::redis::begin_shaping $::redis::id
    }
    return $handle
}

proc ::redis::say_hello {id version} {
    ::redis::redis_write $::redis::fd($id) "*2\r\n\$5\r\nHELLO\r\n\$1\r\n$version\r\n"
    flush $::redis::fd($id)
    ::redis::redis_read_reply $id $::redis::fd($id)
}

# A server that wants a password first, or no more clients, refuses; then the connection stays as it is.
proc ::redis::begin_shaping id {
    if {![catch {::redis::say_hello $id 3}]} {
        set ::redis::shaped($id) 1
    }
}

rename ::redis::__dispatch__raw__ ::redis::dispatch_as_told
proc ::redis::__dispatch__raw__ {id method argv} {
    if {[string equal -nocase $method hello]} {
        if {$argv eq {2} && !$::redis::readraw($id)} {
            set ::redis::shaped($id) 1
            set argv 3
        } else {
            set ::redis::shaped($id) 0
        }
    } elseif {[string equal -nocase $method reset]} {
        set ::redis::shaped($id) 0
    }
    if {[info command ::redis::__method__$method] eq {}} {
        set ::redis::asked($id) [concat [list $method] $argv]
        switch -nocase -- $method {
            multi { set ::redis::queues($id) 1 }
            exec - discard - reset { set ::redis::queues($id) 0 }
        }
    }
    ::redis::dispatch_as_told $id $method $argv
}

rename ::redis::__method__readraw ::redis::readraw_as_told
proc ::redis::__method__readraw {id fd val} {
    if {$val && $::redis::shaped($id) eq "1" && !$::redis::queues($id)} {
        ::redis::say_hello $id 2
        set ::redis::shaped($id) raw
    }
    ::redis::readraw_as_told $id $fd $val
    if {!$val && $::redis::shaped($id) eq "raw"} {
        ::redis::begin_shaping $id
    }
}

# Whether the reply of the command comes in pairs in RESP3 and flat in RESP2.
proc ::redis::comes_in_pairs asked {
    switch -nocase -- [lindex $asked 0] {
        zpopmin - zpopmax {
            return [expr {[llength $asked] == 3}]
        }
        zrange - zrevrange - zrangebyscore - zrevrangebyscore - zdiff - zinter - zunion - zrandmember {
            return [expr {[lsearch -nocase $asked withscores] > 0}]
        }
        hrandfield {
            return [expr {[lsearch -nocase $asked withvalues] > 0}]
        }
    }
    return 0
}

# As the suite reads a reply, but that a double's text can be kept.
set body [info body ::redis::redis_read_reply]
set as_double {[expr {double([redis_read_line $fd])}]}
if {[string first $as_double $body] < 0} {
    error "tests/support/redis.tcl is not the file that resp3.tcl knows"
}
proc ::redis::read_reply_as_it_comes {id fd} [string map [list $as_double {[redis_read_double $id $fd]}] $body]
proc ::redis::redis_read_double {id fd} {
    set text [redis_read_line $fd]
    if {$::redis::shaped($id) eq "1"} {
        return $text
    }
    return [expr {double($text)}]
}

proc ::redis::redis_read_reply {id fd} {
    if {$::redis::shaped($id) ne "1" || $::redis::readraw($id)} {
        return [::redis::read_reply_as_it_comes $id $fd]
    }
    # Replies within a reply come through here, too; only the outermost is the command's.
    incr ::redis::depth($id)
    set failed [catch {::redis::read_reply_as_it_comes $id $fd} reply]
    incr ::redis::depth($id) -1
    if {$failed} {
        return -code error $reply
    }
    if {$::redis::depth($id) > 0} {
        return $reply
    }
    if {[string match "invalidate *" $reply] && ![catch {llength $reply} length] && $length == 2} {
        return [list message __redis__:invalidate [lindex $reply 1]]
    }
    if {[::redis::comes_in_pairs $::redis::asked($id)]} {
        return [concat {*}$reply]
    }
    return $reply
}
