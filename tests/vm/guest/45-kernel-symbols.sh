# Names for kernel addresses.

# A structure on the heap has no name, though some symbol's address is always the last one before it.
only_symbols_have_names() {
    trace_well -e 'BEGIN { printf("heap %s\n", ksym(curtask)); printf("code %s\n", ksym(kaddr("schedule"))); exit(); }'
    contains out '^heap 0x[0-9a-f]+$' "an address on the heap"
    contains out '^code schedule$' "a function's address"
}
check kernel-symbols only_symbols_have_names
