map map_0_: type 1 key 32 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_stacks: type 1 key 8 value 1032 entries 131072 flags 0x1
map pf_map_captures: type 6 key 4 value 1048 entries 4 flags 0x0
map pf_map_known: type 2 key 4 value 8 entries 512 flags 0x0

perf_event/p0: p0
; faults.pf:14: @[ustack, pid, comm] = count();
   0: r6 = r1
   1: r1 = r6
   2: r2 = 0x100000100 ll
   4: r3 = 1016
   5: r4 = 0
   6: call pf_stack
   7: *(u64 *)(r10 -32) = r0
   8: call bpf_get_current_pid_tgid#14
   9: r0 >>= 32
  10: *(u64 *)(r10 -24) = r0
  11: *(u64 *)(r10 -16) = 0
  12: *(u64 *)(r10 -8) = 0
  13: r1 = r10
  14: r1 += -16
  15: r2 = 16
  16: call bpf_get_current_comm#16
  17: r1 = map[map_0_] ll
  19: r2 = r10
  20: r2 += -32
  21: call bpf_map_lookup_elem#1
  22: if r0 == 0x0 goto +3
  23: r4 = 1
  24: lock *(u64 *)(r0 +0) += r4
  25: goto +6
  26: r1 = map[map_0_] ll
  28: r2 = r10
  29: r2 += -32
  30: r3 = 0
  31: call pf_count
  32: r0 = 0
  33: exit
