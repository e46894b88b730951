# scripts/rssgrow.pf: by what a process has grown, against what the workload says of itself.

script=/scripts/rssgrow.pf

# grows_by WAY FUNCTION KIND: the rows of that function and kind are within 2 % of what smaps_rollup says, and the process was looked
# at as it ended.
grows_by() {
    trace_well -f json -c "grows $1 4" $script
    grown=$(value grown out)
    lacks out '"unseen"' "the growth"
    bytes=$(tr '{' '\n' <out | grep "\"kind\": \"$3\"" | grep -F "$2+" | sed -n 's/^"bytes": \([0-9]*\),.*/\1/p' |
        awk '{ sum += $1 } END { printf "%d", sum }')
    between $((grown - grown / 50)) $((grown + grown / 50)) "$bytes" "bytes of $2 as $3"
}

charges_functions() {
    grows_by anon by_anon anon
    grows_by malloc by_malloc heap
    grows_by stack by_stack stack
}
check rssgrow-functions charges_functions

charges_files() {
    mkdir -p /var/tmp
    grows_by file by_file file
}
check rssgrow-files charges_files

charges_what_no_fault_brings() {
    grows_by populate by_populate anon
    grows_by mlock by_mlock anon
}
check rssgrow-filled charges_what_no_fault_brings

counts_huge_pages_whole() {
    grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null && skip "no huge pages"
    [ -e /sys/kernel/mm/transparent_hugepage/enabled ] || skip "no huge pages"
    # As much as is touched. Where pages have 16 KiB, huge ones have 32 MiB.
    [ "$(cat /sys/kernel/mm/transparent_hugepage/hpage_pmd_size)" -le 4194304 ] || skip "a huge page is larger than what is touched"
    grows_by huge by_huge huge
}
check rssgrow-huge counts_huge_pages_whole

leaves_out_what_is_given_back() {
    grows_by dontneed touched_again anon
    grows_by unmapped by_unmapped anon
    grows_by remapped by_remapped anon
}
check rssgrow-given-back leaves_out_what_is_given_back
