# Maps that are printed and emptied while programs count into them: all prints together are what happened.

emptied() { # PROBE VALUE CONDITION
    trace_well -e "$1 /comm == \"keys\" && $3$2 >= 1000000/ { @[$2] = count(); @h[$2 % 8] = hist($2); @n++; }
        interval:ms:20 /@ticks++ < 8/ { print(@); clear(@); print(@h); zero(@h); print(@n); clear(@n); }" -c "keys 100 100"
    sum() { awk '{ n += $1 } END { print n + 0 }'; }
    exactly 10000 "$(rows out | sed -n 's/^@\[[0-9]*\]: //p' | sum)" "calls by key"
    exactly 10000 "$(rows out | sed -n 's/^@n: //p' | sum)" "calls in all"
    exactly 10000 "$(sed -n 's/^\[[0-9A-Z]*, [0-9A-Z]*) *\([0-9]*\) |.*/\1/p' out | sum)" "calls in histograms"
}

emptied_after_a_tracepoint() { emptied tracepoint:syscalls:sys_enter_close args.fd; }
check emptying-after-a-tracepoint emptied_after_a_tracepoint

# close is call 3 on x86-64, 57 on arm64; its first argument is the first register of the call.
emptied_after_one_that_is_preempted() {
    case $(uname -m) in
    x86_64) emptied rt:sys_enter '((struct pt_regs *)arg0)->di' 'arg1 == 3 && ' ;;
    *) emptied rt:sys_enter '((struct pt_regs *)arg0)->regs[0]' 'arg1 == 57 && ' ;;
    esac
}
check emptying-after-a-raw-tracepoint emptied_after_one_that_is_preempted
