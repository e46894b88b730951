# After all the other cases: the kernel found nothing wrong. (An oops would have stopped the machine.)

log_is_clean() {
    dmesg | grep -E 'WARNING:|BUG:|INFO: (task|rcu)|possible recursive locking' >complaints || return 0
    fail "the kernel complained"
}
check kernel-log log_is_clean
