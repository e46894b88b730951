# The kernel has what the other cases stand on. No pfscript here: if this fails, the guest is at fault.

kprobes() { grep -q ' T register_kprobe$' /proc/kallsyms && [ -w /sys/kernel/tracing/kprobe_events ]; }
check kernel-has-kprobes kprobes

btf() { at_least 1000000 "$(wc -c </sys/kernel/btf/vmlinux)" "bytes of BTF"; }
check kernel-has-btf btf

tracefs() { [ -r /sys/kernel/tracing/events/syscalls/sys_enter_openat/format ] && head -n 1 /sys/kernel/tracing/available_filter_functions | grep -q .; }
check kernel-has-tracefs tracefs

bpffs() { mkdir /sys/fs/bpf/writable && rmdir /sys/fs/bpf/writable; }
check kernel-has-bpffs bpffs

# The workloads count their own faults: a page each, by the kernel's own count.
workloads() {
    anon2mmap 500 >line || fail "anon2mmap failed"
    exactly 500 "$(value minflt line)" "faults of anon2mmap's loop"
    filetouch file 50 >line || fail "filetouch failed"
    exactly 50 "$(value minflt line)" "faults of filetouch's loop"
    filetouch file 50 --shared >line || fail "filetouch --shared failed"
    exactly 50 "$(value minflt line)" "faults of filetouch's loop, shared"
    nproc_faults 3 50 >line && threads 3 50 >line && keys 10 2 >line && deepstack 40 50 >line || fail "a workload failed"
    opens 3 /guest/lib >line && exactly 3 "$(value opened line)" "files opened"
    anon2mmap nonsense
    exactly 2 $? "status after a usage error"
}
check workloads-count-themselves workloads
