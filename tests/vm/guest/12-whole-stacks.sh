# Stacks of code without frame pointers reach the start of the thread.

# The stacks of the faults in `inner`, one a line, as "count frames".
stacks_of_inner() {
    trace_well -e "$1" -c "frameless $2"
    rows out | grep -E '@\[;inner\+' >inner || fail "no stack begins in inner"
    grep -q 'before the start' err && fail "some stacks were cut: $(grep 'before the start' err)"
    return 0
}

# Each of the three ways there has all its faults in one stack, which ends where the program or the thread began.
whole_by_page_faults() {
    stacks_of_inner 'software:page-faults:1 { @[ustack] = count(); }' 300
    grep -E "@\[;inner\+[0-9]+;middle\+[0-9]+;outer\+[0-9]+;main\+[0-9]+;.*;_start\+[0-9]+;\]: 300$" inner >of_main ||
        fail "no such stack from main"
    grep -E "@\[;inner\+[0-9]+;middle\+[0-9]+;outer\+[0-9]+;handler\+[0-9]+;.*;raise\+[0-9]+;main\+[0-9]+;.*;_start\+[0-9]+;\]: 300$" inner >of_handler ||
        fail "no such stack from the handler of a signal"
    grep -E "@\[;inner\+[0-9]+;middle\+[0-9]+;outer\+[0-9]+;thread\+[0-9]+;start_thread\+[0-9]+;.*(clone|thread_start)" inner >of_thread ||
        fail "no such stack from the thread"
    grep -q ';]: 300$' of_thread || fail "faults of the thread are elsewhere"
}
check whole-stacks-of-page-faults whole_by_page_faults

# A stack of several pieces.
whole_however_deep() {
    trace_well -e 'software:page-faults:1 { @[ustack] = count(); }' -c "deepstack 600 50"
    rows out | grep -E '\]: 50$' >deep || fail "no stack has the 50 faults"
    [ "$(grep -o ';descend+' deep | wc -l)" = 600 ] || fail "it has $(grep -o ';descend+' deep | wc -l) frames of descend"
    grep -E ';main\+[0-9]+;.*_start' deep >whole || fail "it does not go to the start"
    grep -E 'cut |lost ' err && fail "some were cut"
    return 0
}
check whole-stacks-however-deep whole_however_deep

# In a program that can be preempted, and that the kernel enters by a breakpoint.
whole_by_uprobes() {
    trace_well -e 'uprobe:/workloads/frameless:middle { @[ustack] = count(); }' -c "frameless 3"
    rows out | grep -E "@\[;middle\+0;outer\+[0-9]+;main\+[0-9]+;.*;_start\+[0-9]+;\]: 1$" >found || fail "no such stack from main"
    rows out | grep -E "@\[;middle\+0;outer\+[0-9]+;thread\+[0-9]+;" >found || fail "no such stack from the thread"
}
check whole-stacks-of-uprobes whole_by_uprobes

whole_by_system_calls() {
    trace_well -e 'tracepoint:syscalls:sys_enter_madvise /comm == "frameless"/ { @[ustack] = count(); }' -c "frameless 3"
    rows out | grep -E ";middle\+[0-9]+;outer\+[0-9]+;main\+[0-9]+;.*;_start\+[0-9]+;\]: 1$" >found || fail "no such stack from main"
}
check whole-stacks-of-system-calls whole_by_system_calls

# Nothing is known of a program that the command executes, before it does.
whole_of_what_starts_later() {
    trace_well -e 'software:page-faults:1 /comm == "frameless"/ { @[ustack] = count(); }' -c "sh -c 'frameless 300; true'"
    rows out | grep -E '@\[;inner\+' >inner || fail "no stack begins in inner"
    [ "$(grep -c ';]: 300$' inner)" = 3 ] || fail "there is not one stack for each way: $(cat inner)"
    grep -E ";main\+[0-9]+;.*;_start\+[0-9]+;\]: 300$" inner >of_main || fail "no such stack from main"
}
check whole-stacks-of-what-starts-later whole_of_what_starts_later

# Through the dynamic linker, its calls between files, and the code that runs before and after main: nothing is cut anywhere.
whole_in_libraries() {
    trace_well -e 'software:page-faults:1 { @[ustack] = count(); }' -c "/dynamic/frameless 300"
    grep -E 'before the start|may lack' err && fail "some stacks were cut"
    rows out | grep -E "@\[;inner\+[0-9]+;middle\+[0-9]+;outer\+[0-9]+;main\+[0-9]+;.*;_start\+[0-9]+;\]: 300$" >of_main ||
        fail "no such stack from main"
    # It may be stripped.
    rows out | grep -E '@\[;(\[ld-linux|_dl_|do_lookup_x)' >of_linker || fail "no stack of the dynamic linker"
}
check whole-stacks-in-libraries whole_in_libraries
