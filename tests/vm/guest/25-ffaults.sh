# scripts/ffaults.pf: page faults by file without kprobes, through vma(), which finds what is mapped in the kernel's own tree:
# a red-black tree in 5.10, a maple tree since 6.1.

script=/scripts/ffaults.pf

# Every row of the workload that names its file so; whatever else is in the key.
faults_in() { rows out | grep -w "$1" | grep -F "$2" | total; }

counts_anonymous_memory() {
    [ -f $script ] || skip "there is no scripts/ffaults.pf"
    trace_well -c "anon2mmap 1000" $script
    between 1000 1199 "$(faults_in anon2mmap '[anon]')" "anonymous faults of the workload"
}
check ffaults-pf-anonymous counts_anonymous_memory

counts_files() {
    [ -f $script ] || skip "there is no scripts/ffaults.pf"
    trace_well -c "filetouch $PWD/touched-pf 300" $script
    between 300 305 "$(faults_in filetouch touched-pf)" "faults in the touched file"
}
check ffaults-pf-files counts_files

# While one thread maps or unmaps, the others fault.
finds_what_threads_map() {
    [ -f $script ] || skip "there is no scripts/ffaults.pf"
    trace_well -c "mallocs 4 50" $script
    faults=$(value minflt out)
    between "$faults" "$((faults + 100))" "$(faults_in mallocs '[anon]')" "anonymous faults of the threads"
    exactly 0 "$(faults_in mallocs '[unmapped]')" "unmapped faults"
}
check ffaults-pf-threads finds_what_threads_map

# A mapping without a file: the script's own test, and a read through the null pointer, which is nothing to lose.
takes_no_file_for_an_answer() {
    trace_well -c "anon2mmap 100" -e 'software:page-faults:1
        { $file = vma(addr)->vm_file; @[comm, str($file->f_path.dentry->d_name.name)] = count(); }'
    between 100 300 "$(rows out | grep -F '@[anon2mmap, ]' | total)" "faults without a file"
    lacks err 'could not be read' "the messages"
}
check ffaults-pf-no-file takes_no_file_for_an_answer
