# scripts/rssgrow.pf of several processes.

script=/scripts/rssgrow.pf

# bytes_by FUNCTION: the bytes of a function in parts that are anonymous memory.
bytes_by() {
    tr '{' '\n' <out | grep '"kind": "anon"' | grep -F "$1+" | sed -n 's/^"bytes": \([0-9]*\),.*/\1/p' |
        awk '{ sum += $1 } END { printf "%d", sum }'
}

# Each ends within milliseconds.
follows_children() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do echo 'grows anon 2 &'; done >job
    echo wait >>job
    trace_well -f json -c "sh $PWD/job" $script
    lacks out '"unseen"' "the growth"
    contains out '"processes": 12, "comm": "grows"' "children by name"
    between 24662507 25669140 "$(bytes_by by_anon)" "bytes of by_anon in 12 children"
}
check rssgrow-children follows_children

tells_what_a_child_copies() {
    trace_well -f json -c "grows forked 4" $script
    lacks out '"unseen"' "the growth"
    between 2055208 2139095 "$(bytes_by by_child)" "bytes that the child has written to"
}
check rssgrow-fork tells_what_a_child_copies

follows_all_processes() {
    pfscript -f json $script >out 2>err </dev/null &
    tracer=$!
    wait_for 60 grep -q attached_probes out || fail "pfscript did not attach"
    grows anon 4 >grown
    end_trace
    [ "$status" = 0 ] || fail "pfscript ended with status $status"
    # A stack from before the program's table was there may be another than those from after it.
    bytes=$(tr '{' '\n' <out | grep -F 'by_anon+' | grep -v '"kind"' | sed -n 's/^"bytes": \([0-9]*\),.*/\1/p' |
        awk '{ sum += $1 } END { printf "%d", sum }')
    between 4110418 4278190 "$bytes" "bytes of by_anon that were given back"
}
check rssgrow-all follows_all_processes
