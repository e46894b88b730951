# scripts/ffaults.pf: page faults by file without kprobes, through vma() and so through bpf_find_vma (Linux 5.17).

script=/scripts/ffaults.pf

# Every row of the workload that names its file so; whatever else is in the key.
faults_in() { rows out | grep -w "$1" | grep -F "$2" | total; }

names_the_missing_helper() {
    [ -f $script ] || skip "there is no scripts/ffaults.pf"
    if kernel_from 5.17; then skip "this kernel has bpf_find_vma"; fi
    trace -c "anon2mmap 1000" $script
    exactly 1 "$status" "status"
    contains err 'bpf_find_vma|vma\(' "the error"
    contains err '5\.17|kernel' "the error"
}
check ffaults-pf-says-what-is-missing names_the_missing_helper

counts_anonymous_memory() {
    [ -f $script ] || skip "there is no scripts/ffaults.pf"
    kernel_from 5.17 || skip "bpf_find_vma came with 5.17"
    trace_well -c "anon2mmap 1000" $script
    between 1000 1199 "$(faults_in anon2mmap '[anon]')" "anonymous faults of the workload"
}
check ffaults-pf-anonymous counts_anonymous_memory

counts_files() {
    [ -f $script ] || skip "there is no scripts/ffaults.pf"
    kernel_from 5.17 || skip "bpf_find_vma came with 5.17"
    trace_well -c "filetouch $PWD/touched-pf 300" $script
    between 300 305 "$(faults_in filetouch touched-pf)" "faults in the touched file"
}
check ffaults-pf-files counts_files
