# scripts/rssgrow.pf: by what a process has grown, against what the workload says of itself.

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
