# Names for kernel addresses.

# Structures on the heap, a stack and offsets of per-CPU variables have no name, though some symbol's address is always the last one
# before.
only_symbols_have_names() {
    trace_well -e 'BEGIN { $task = (struct task_struct *)curtask; printf("heap %s\n", ksym(curtask)); printf("files %s\n", ksym($task->files));
        printf("stack %s\n", ksym($task->stack)); printf("offset %s\n", ksym(0x2c000)); printf("code %s\n", ksym(kaddr("schedule"))); exit(); }'
    for place in heap files stack offset; do
        contains out "^$place 0x[0-9a-f]+\$" "an address without symbol ($place)"
    done
    contains out '^code schedule$' "a function's address"
}
check kernel-symbols only_symbols_have_names
