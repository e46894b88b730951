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
   0: r2 = data[pf_data_process] ll
   2: r2 = *(u64 *)(r2 +0)
   3: if r2 == 0x0 goto +8
   4: r6 = r1
   5: r7 = r2
   6: call bpf_get_current_pid_tgid#14
   7: r0 >>= 32
   8: r1 = r6
   9: if r0 == r7 goto +2
  10: r0 = 0
  11: exit
  12: r6 = r1
  13: *(u64 *)(r10 -96) = 0
  14: *(u64 *)(r10 -88) = 0
  15: r1 = r10
  16: r1 += -96
  17: r2 = 16
  18: call bpf_get_current_comm#16
  19: call bpf_get_current_pid_tgid#14
  20: r0 >>= 32
  21: *(u64 *)(r10 -80) = r0
  22: call bpf_ktime_get_boot_ns#125
  23: *(u64 *)(r10 -72) = r0
  24: *(u64 *)(r10 -64) = 65
  25: call bpf_get_current_task#35
  26: *(u64 *)(r10 -56) = r0
  27: *(u64 *)(r10 -104) = 0
  28: r1 = r10
  29: r1 += -104
  30: r2 = 56
  31: r3 = 0
  32: call pf_emit
; printing.pf:3: printf("%s%s\n", ustack(3), kstack(perf, 2));
  33: r1 = r6
  34: r2 = 256
  35: r3 = 24
  36: r4 = 0
  37: call pf_stack
  38: *(u64 *)(r10 -40) = r0
  39: r1 = r6
  40: r2 = 0
  41: r3 = 16
  42: r4 = 0
  43: call pf_stack
  44: *(u64 *)(r10 -32) = r0
  45: *(u64 *)(r10 -48) = 1
  46: r1 = r10
  47: r1 += -48
  48: r2 = 24
  49: r3 = 0
  50: call pf_emit
; printing.pf:4: print(@, 5, 10);
  51: *(u64 *)(r10 -8) = 2
  52: r1 = r10
  53: r1 += -8
  54: r2 = 8
  55: r3 = 0
  56: call pf_emit
; printing.pf:5: print(pid);
  57: call bpf_get_current_pid_tgid#14
  58: r0 >>= 32
  59: *(u64 *)(r10 -16) = r0
  60: *(u64 *)(r10 -24) = 3
  61: r1 = r10
  62: r1 += -24
  63: r2 = 16
  64: r3 = 0
  65: call pf_emit
  66: *(u64 *)(r10 -8) = 0
; printing.pf:6: @ = count();
  67: r1 = map[map_0_] ll
  69: r2 = r10
  70: r2 += -8
  71: call bpf_map_lookup_elem#1
  72: if r0 == 0x0 goto +3
  73: r4 = 1
  74: lock *(u64 *)(r0 +0) += r4
  75: goto +6
  76: r1 = map[map_0_] ll
  78: r2 = r10
  79: r2 += -8
  80: r3 = 0
  81: call pf_count
; printing.pf:7: time("%H:%M\n");
  82: *(u64 *)(r10 -8) = 4
  83: r1 = r10
  84: r1 += -8
  85: r2 = 8
  86: r3 = 0
  87: call pf_emit
; printing.pf:8: @sym[ksym(kaddr("vfs_read")), usym(addr)] = count();
  88: *(u64 *)(r10 -48) = -2128609280
  89: r1 = *(u64 *)(r6 +176)
  90: *(u64 *)(r10 -40) = r1
  91: call bpf_get_current_pid_tgid#14
  92: r0 >>= 32
  93: *(u64 *)(r10 -32) = r0
  94: r1 = map[map_1_sym] ll
  96: r2 = r10
  97: r2 += -48
  98: call bpf_map_lookup_elem#1
  99: if r0 == 0x0 goto +3
 100: r4 = 1
 101: lock *(u64 *)(r0 +0) += r4
 102: goto +6
 103: r1 = map[map_1_sym] ll
 105: r2 = r10
 106: r2 += -48
 107: r3 = 0
 108: call pf_count
; printing.pf:9: exit(2);
 109: *(u64 *)(r10 -16) = 2
 110: *(u64 *)(r10 -24) = 5
 111: r1 = r10
 112: r1 += -24
 113: r2 = 16
 114: r3 = 0
 115: call pf_emit
 116: r0 = 0
 117: exit
