# scripts/rssgrow.pf of several processes.

script=/scripts/rssgrow.pf

# Each ends within milliseconds.
follows_children() {
    for turn in 1 2 3 4 5 6 7 8 9 10; do
        for _ in 1 2 3 4; do echo 'grows anon 4 &'; done
    done >job
    echo wait >>job
    trace_well -f json -c "sh $PWD/job" $script
    lacks out '"unseen"' "the growth"
    contains out '"processes": 40, "comm": "grows"' "children by name"
    bytes=$(tr '{' '\n' <out | grep '"kind": "anon"' | grep -F 'by_anon+' | sed -n 's/^"bytes": \([0-9]*\),.*/\1/p' |
        awk '{ sum += $1 } END { printf "%d", sum }')
    between 164416717 171127603 "$bytes" "bytes of by_anon in 40 children"
}
check rssgrow-children follows_children

tells_what_a_child_copies() {
    trace_well -f json -c "grows forked 4" $script
    lacks out '"unseen"' "the growth"
    bytes=$(tr '{' '\n' <out | grep '"kind": "anon"' | grep -F 'by_child+' | sed -n 's/^"bytes": \([0-9]*\),.*/\1/p' |
        awk '{ sum += $1 } END { printf "%d", sum }')
    between 2055208 2139095 "$bytes" "bytes that the child has written to"
}
check rssgrow-fork tells_what_a_child_copies

follows_all_processes() {
    start_trace -f json $script -- --interval=1
    grows anon 4 >grown
    end_trace
    [ "$status" = 0 ] || fail "pfscript ended with status $status"
    bytes=$(tr '{' '\n' <out | grep -F 'by_anon+' | grep -v '"kind"' | sed -n 's/^"bytes": \([0-9]*\),.*/\1/p' | tail -n 1)
    between 4110418 4278190 "$bytes" "bytes of by_anon that were given back"
}
check rssgrow-all follows_all_processes
