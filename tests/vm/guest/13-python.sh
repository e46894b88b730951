# Functions of Python are in the stacks of an interpreter that the distribution built.

cat >/tmp/x.py <<'END'
import posix

def inner():
    posix.getppid()

def outer():
    sorted([1], key=lambda number: inner())

def takes_memory():
    return bytearray(1 << 20)

outer()
takes_memory()
END

# python PROBE: leaves the stacks of its events in the script in `found`, one a line.
python() {
    [ "$(uname -m)" = x86_64 ] || skip "frames of Python are shown on x86-64 alone"
    interpreter=$(ls /usr/bin/python3.* 2>/dev/null | head -n 1)
    [ -n "$interpreter" ] || skip "this machine has no Python of its distribution to put into the guest"
    trace_well -e "$1 { @[ustack] = count(); }" -c "$interpreter -I -S /tmp/x.py"
    rows out | grep 'x\.py' >found || fail "no stack has functions of Python"
}

by_system_calls() {
    python 'tracepoint:syscalls:sys_enter_getppid /pid == cpid/'
    expected='getppid\+[0-9]+;.*;inner \(/tmp/x.py:4\);outer.<locals>.<lambda> \(/tmp/x.py:7\);.*;outer \(/tmp/x.py:7\);<module> \(/tmp/x.py:12\);'
    grep -qE "$expected" found || fail "its functions are not there in order"
}
check python-in-stacks-of-system-calls by_system_calls

by_page_faults() {
    python 'software:page-faults:1'
    faults=$(sed -n 's/.*;takes_memory (\/tmp\/x.py:10);<module> (\/tmp\/x.py:13);.*]: //p' found | awk '{ sum += $1 } END { print sum + 0 }')
    [ "$faults" -ge 256 ] || fail "takes_memory has $faults page faults, of 256"
    ! grep -q '_PyEval_EvalFrameDefault.*takes_memory' found || fail "the interpreter's own function is there too"
}
check python-in-stacks-of-page-faults by_page_faults
