map map_0_: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_sym: type 1 key 24 value 8 entries 262144 flags 0x1
map map_2_never: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_stacks: type 1 key 8 value 40 entries 131072 flags 0x1
map pf_map_captures: type 6 key 4 value 56 entries 4 flags 0x0
map pf_map_known: type 2 key 4 value 8 entries 512 flags 0x0
map pf_map_events: type 27 key 0 value 0 entries 4194304 flags 0x0

perf_event/p0: p0
; printing.pf:2: printf("%-16s %5d %08llx %c %p%%\n", comm, pid, nsecs, 65, curtask);
   0: r6 = r1
   1: *(u64 *)(r10 -96) = 0
   2: *(u64 *)(r10 -88) = 0
   3: r1 = r10
   4: r1 += -96
   5: r2 = 16
   6: call bpf_get_current_comm#16
   7: call bpf_get_current_pid_tgid#14
   8: r0 >>= 32
   9: *(u64 *)(r10 -80) = r0
  10: call bpf_ktime_get_boot_ns#125
  11: *(u64 *)(r10 -72) = r0
  12: *(u64 *)(r10 -64) = 65
  13: call bpf_get_current_task#35
  14: *(u64 *)(r10 -56) = r0
  15: *(u64 *)(r10 -104) = 0
  16: r1 = r10
  17: r1 += -104
  18: r2 = 56
  19: r3 = 0
  20: call pf_emit
; printing.pf:3: printf("%s%s\n", ustack(3), kstack(perf, 2));
  21: r1 = r6
  22: r2 = 256
  23: r3 = 24
  24: r4 = 0
  25: call pf_stack
  26: *(u64 *)(r10 -40) = r0
  27: r1 = r6
  28: r2 = 0
  29: r3 = 16
  30: r4 = 0
  31: call pf_stack
  32: *(u64 *)(r10 -32) = r0
  33: *(u64 *)(r10 -48) = 1
  34: r1 = r10
  35: r1 += -48
  36: r2 = 24
  37: r3 = 0
  38: call pf_emit
; printing.pf:4: print(@, 5, 10);
  39: *(u64 *)(r10 -8) = 2
  40: r1 = r10
  41: r1 += -8
  42: r2 = 8
  43: r3 = 0
  44: call pf_emit
; printing.pf:5: print(pid);
  45: call bpf_get_current_pid_tgid#14
  46: r0 >>= 32
  47: *(u64 *)(r10 -16) = r0
  48: *(u64 *)(r10 -24) = 3
  49: r1 = r10
  50: r1 += -24
  51: r2 = 16
  52: r3 = 0
  53: call pf_emit
; printing.pf:6: @ = count();
  54: *(u64 *)(r10 -8) = 0
  55: r1 = map[map_0_] ll
  57: r2 = r10
  58: r2 += -8
  59: call bpf_map_lookup_elem#1
  60: if r0 == 0x0 goto +3
  61: r4 = 1
  62: lock *(u64 *)(r0 +0) += r4
  63: goto +6
  64: r1 = map[map_0_] ll
  66: r2 = r10
  67: r2 += -8
  68: r3 = 0
  69: call pf_count
; printing.pf:7: time("%H:%M\n");
  70: *(u64 *)(r10 -8) = 4
  71: r1 = r10
  72: r1 += -8
  73: r2 = 8
  74: r3 = 0
  75: call pf_emit
; printing.pf:8: @sym[ksym(kaddr("vfs_read")), usym(addr)] = count();
  76: *(u64 *)(r10 -48) = -2128609280
  77: r1 = *(u64 *)(r6 +176)
  78: *(u64 *)(r10 -40) = r1
  79: call bpf_get_current_pid_tgid#14
  80: r0 >>= 32
  81: *(u64 *)(r10 -32) = r0
  82: r1 = map[map_1_sym] ll
  84: r2 = r10
  85: r2 += -48
  86: call bpf_map_lookup_elem#1
  87: if r0 == 0x0 goto +3
  88: r4 = 1
  89: lock *(u64 *)(r0 +0) += r4
  90: goto +6
  91: r1 = map[map_1_sym] ll
  93: r2 = r10
  94: r2 += -48
  95: r3 = 0
  96: call pf_count
; printing.pf:9: exit(2);
  97: *(u64 *)(r10 -16) = 2
  98: *(u64 *)(r10 -24) = 5
  99: r1 = r10
 100: r1 += -24
 101: r2 = 16
 102: r3 = 0
 103: call pf_emit
 104: r0 = 0
 105: exit
