# scripts/rssgrow.pf: memory that the kernel fills without page faults.

# The initramfs knows no reads without the page cache; a disk in memory does.
disk() {
    [ -b /dev/ram0 ] || insmod "/modules/$(uname -r)/brd.ko" rd_nr=1 rd_size=8192 || skip "no disk in memory"
    export GROWS_FROM=/dev/ram0
}

charges_reads() {
    disk
    grows_by direct by_direct anon
    grows_by vector by_vector anon
}
check rssgrow-direct charges_reads

charges_asynchronous_reads() {
    disk
    grows_by aio by_aio anon
    grows_by uring by_uring anon
}
check rssgrow-asynchronous charges_asynchronous_reads

charges_buffers() {
    grows_by buffers by_buffers anon
    if kernel_from 5.13; then grows_by resources by_resources anon; fi
}
check rssgrow-buffers charges_buffers

charges_who_writes_to_others() {
    grows_by others by_writer anon
}
check rssgrow-others charges_who_writes_to_others
