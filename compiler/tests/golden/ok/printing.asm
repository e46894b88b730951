map map_0_: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_sym: type 1 key 24 value 8 entries 262144 flags 0x1
map map_2_never: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_stacks: type 1 key 8 value 40 entries 131072 flags 0x1
map pf_map_traces: type 7 key 4 value 24 entries 2048 flags 0x0
map pf_map_captures: type 6 key 4 value 48 entries 4 flags 0x0
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
  22: r2 = 0x200000100 ll
  24: r3 = 24
  25: r4 = 0
  26: call pf_stack
  27: *(u64 *)(r10 -40) = r0
  28: r1 = r6
  29: r2 = 0
  30: r3 = 16
  31: r4 = 0
  32: call pf_stack
  33: *(u64 *)(r10 -32) = r0
  34: *(u64 *)(r10 -48) = 1
  35: r1 = r10
  36: r1 += -48
  37: r2 = 24
  38: r3 = 0
  39: call pf_emit
; printing.pf:4: print(@, 5, 10);
  40: *(u64 *)(r10 -8) = 2
  41: r1 = r10
  42: r1 += -8
  43: r2 = 8
  44: r3 = 0
  45: call pf_emit
; printing.pf:5: print(pid);
  46: call bpf_get_current_pid_tgid#14
  47: r0 >>= 32
  48: *(u64 *)(r10 -16) = r0
  49: *(u64 *)(r10 -24) = 3
  50: r1 = r10
  51: r1 += -24
  52: r2 = 16
  53: r3 = 0
  54: call pf_emit
  55: *(u64 *)(r10 -8) = 0
; printing.pf:6: @ = count();
  56: r1 = map[map_0_] ll
  58: r2 = r10
  59: r2 += -8
  60: call bpf_map_lookup_elem#1
  61: if r0 == 0x0 goto +3
  62: r4 = 1
  63: lock *(u64 *)(r0 +0) += r4
  64: goto +6
  65: r1 = map[map_0_] ll
  67: r2 = r10
  68: r2 += -8
  69: r3 = 0
  70: call pf_count
; printing.pf:7: time("%H:%M\n");
  71: *(u64 *)(r10 -8) = 4
  72: r1 = r10
  73: r1 += -8
  74: r2 = 8
  75: r3 = 0
  76: call pf_emit
; printing.pf:8: @sym[ksym(kaddr("vfs_read")), usym(addr)] = count();
  77: *(u64 *)(r10 -48) = -2128609280
  78: r1 = *(u64 *)(r6 +176)
  79: *(u64 *)(r10 -40) = r1
  80: call bpf_get_current_pid_tgid#14
  81: r0 >>= 32
  82: *(u64 *)(r10 -32) = r0
  83: r1 = map[map_1_sym] ll
  85: r2 = r10
  86: r2 += -48
  87: call bpf_map_lookup_elem#1
  88: if r0 == 0x0 goto +3
  89: r4 = 1
  90: lock *(u64 *)(r0 +0) += r4
  91: goto +6
  92: r1 = map[map_1_sym] ll
  94: r2 = r10
  95: r2 += -48
  96: r3 = 0
  97: call pf_count
; printing.pf:9: exit(2);
  98: *(u64 *)(r10 -16) = 2
  99: *(u64 *)(r10 -24) = 5
 100: r1 = r10
 101: r1 += -24
 102: r2 = 16
 103: r3 = 0
 104: call pf_emit
 105: r0 = 0
 106: exit
