# Every shipped script loads and attaches on this kernel, or says what the kernel lacks.

# Scripts that need a kernel newer than 5.10, and which one.
needs() {
    case $1 in
    ffaults.pf) echo 5.17 ;;
    *) echo 5.10 ;;
    esac
}

dry_run() {
    kernel_from "$(needs "$script")" || skip "needs $(needs "$script")"
    trace_well --dry-run "/scripts/$script"
}

found=
for path in /scripts/*.pf /scripts/*.bt; do
    [ -f "$path" ] || continue
    script=$(basename "$path") found=1
    check "dry-run-$script" dry_run
done
[ -n "$found" ] || echo "skip dry-run: there is nothing in scripts/"
