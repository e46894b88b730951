# Inside a pid namespace, as in a container, process ids are the namespace's own.

follows_a_command() {
    unshare -p -f --mount-proc sh -c "true; true; pfscript --strict -e 'software:page-faults:1 / pid == cpid / { @[comm, pid] = count(); }' -c 'anon2mmap 300'" \
        >out 2>err </dev/null || fail "it ended with status $?: $(head -n 3 err | tr '\n' ' ')"
    pid=$(value pid out)
    [ "$pid" -lt 30 ] || fail "the workload has the id $pid, which is none of a new namespace"
    at_least 300 "$(rows out | grep -F "@[anon2mmap, $pid]" | total)" "faults of the workload"
}
check namespaces-command follows_a_command
