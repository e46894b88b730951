# Pictures: the same stacks and weights as the workloads know of their own, in files that are whole.

# sums FILE: the weights of the folded stacks that the pattern matches
sums() { grep -E "$2" "$1" | sed 's/.* //' | awk '{ sum += $1 } END { printf "%d", sum }'; }

draws_what_was_counted() {
    trace_well -e 'software:page-faults:1 { @[comm, ustack] = count(); }' --folded folded --flamegraph graph.svg \
        -c "anon2mmap 2000"
    exactly 2000 "$(sums folded '^anon2mmap;.*;main [0-9]+$')" "faults of the loop's stack"
    contains graph.svg '<title>main \(2,[0-9]+ events, ' "the flame graph"
    contains graph.svg '</svg>$' "the flame graph's end"
    contains err '^graph.svg: [0-9]+ stacks of @, [0-9]+ events$' "what is said"
}
check pictures-counts draws_what_was_counted

marks_functions_of_the_kernel() {
    trace_well -e 'kprobe:do_exit { @[kstack, ustack] = count(); }' --folded folded -c "anon2mmap 10"
    contains folded '_start;.*;[^;]+_\[k\](;[^;]+_\[k\])* [0-9]+$' "user code and then the kernel's"
}
check pictures-kernel marks_functions_of_the_kernel

reports_growth() {
    trace_well --folded folded --report page.html -c "grows malloc 4" /scripts/rssgrow.pf
    grown=$(value grown out)
    between $((grown - grown / 50)) $((grown + grown / 50)) "$(sums folded ';heap;.*;by_malloc')" "bytes of by_malloc"
    contains page.html 'by_malloc' "the report"
    contains page.html '^<polygon ' "the report's chart"
    contains page.html '^</body></html>$' "the report's end"
}
check pictures-growth reports_growth
