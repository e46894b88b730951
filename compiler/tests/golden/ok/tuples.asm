map map_0_t: type 1 key 24 value 48 entries 262144 flags 0x1
map map_1_u: type 1 key 16 value 8 entries 262144 flags 0x1
map map_2_v: type 1 key 16 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_events: type 27 key 0 value 0 entries 4194304 flags 0x0

raw_tracepoint/p0: p0
; tuples.pf:2: $t = (1, "a", (pid, comm));
   0: r6 = 0x0 ll
   2: if r6 == 0x0 goto +5
   3: r7 = r1
   4: call bpf_get_current_pid_tgid#14
   5: r1 = r7
   6: r0 >>= 32
   7: if r0 != r6 goto +2
   8: r2 = 0
   9: call body_p0
  10: w0 = 0
  11: exit

.text: body_p0
; tuples.pf:2: $t = (1, "a", (pid, comm));
   0: *(u64 *)(r10 -152) = 1
   1: *(u64 *)(r10 -144) = 97
   2: *(u64 *)(r10 -136) = 0
   3: call bpf_get_current_pid_tgid#14
   4: r0 >>= 32
   5: *(u64 *)(r10 -128) = r0
   6: *(u64 *)(r10 -120) = 0
   7: *(u64 *)(r10 -112) = 0
   8: r1 = r10
   9: r1 += -120
  10: r2 = 16
  11: call bpf_get_current_comm#16
  12: r4 = *(u64 *)(r10 -152)
  13: *(u64 *)(r10 -200) = r4
  14: r4 = *(u64 *)(r10 -144)
  15: *(u64 *)(r10 -192) = r4
  16: r4 = *(u64 *)(r10 -136)
  17: *(u64 *)(r10 -184) = r4
  18: r4 = *(u64 *)(r10 -128)
  19: *(u64 *)(r10 -176) = r4
  20: r4 = *(u64 *)(r10 -120)
  21: *(u64 *)(r10 -168) = r4
  22: r4 = *(u64 *)(r10 -112)
  23: *(u64 *)(r10 -160) = r4
; tuples.pf:3: @t[$t.0, $t.1] = $t;
  24: r4 = *(u64 *)(r10 -200)
  25: *(u64 *)(r10 -152) = r4
  26: r4 = *(u64 *)(r10 -192)
  27: *(u64 *)(r10 -144) = r4
  28: r4 = *(u64 *)(r10 -184)
  29: *(u64 *)(r10 -136) = r4
  30: r4 = *(u64 *)(r10 -176)
  31: *(u64 *)(r10 -128) = r4
  32: r4 = *(u64 *)(r10 -168)
  33: *(u64 *)(r10 -120) = r4
  34: r4 = *(u64 *)(r10 -160)
  35: *(u64 *)(r10 -112) = r4
  36: r1 = *(u64 *)(r10 -200)
  37: *(u64 *)(r10 -72) = r1
  38: r4 = *(u64 *)(r10 -192)
  39: *(u64 *)(r10 -64) = r4
  40: r4 = *(u64 *)(r10 -184)
  41: *(u64 *)(r10 -56) = r4
  42: r1 = map[map_0_t] ll
  44: r2 = r10
  45: r2 += -72
  46: r3 = r10
  47: r3 += -152
  48: r4 = 0
  49: call pf_set
; tuples.pf:4: @u[(1, 2)] = 1;
  50: *(u64 *)(r10 -8) = 1
  51: *(u64 *)(r10 -32) = 1
  52: *(u64 *)(r10 -24) = 2
  53: r1 = map[map_1_u] ll
  55: r2 = r10
  56: r2 += -32
  57: r3 = r10
  58: r3 += -8
  59: r4 = 0
  60: call pf_set
; tuples.pf:5: @v[1, 2] = @u[1, 2];
  61: *(u64 *)(r10 -32) = 1
  62: *(u64 *)(r10 -24) = 2
  63: *(u64 *)(r10 -16) = 0
  64: r1 = map[map_1_u] ll
  66: r2 = r10
  67: r2 += -32
  68: call bpf_map_lookup_elem#1
  69: if r0 == 0x0 goto +2
  70: r4 = *(u64 *)(r0 +0)
  71: *(u64 *)(r10 -16) = r4
  72: r1 = *(u64 *)(r10 -16)
  73: *(u64 *)(r10 -8) = r1
  74: *(u64 *)(r10 -48) = 1
  75: *(u64 *)(r10 -40) = 2
  76: r1 = map[map_2_v] ll
  78: r2 = r10
  79: r2 += -48
  80: r3 = r10
  81: r3 += -8
  82: r4 = 0
  83: call pf_set
; tuples.pf:6: print($t.2);
  84: r4 = *(u64 *)(r10 -176)
  85: *(u64 *)(r10 -96) = r4
  86: r4 = *(u64 *)(r10 -168)
  87: *(u64 *)(r10 -88) = r4
  88: r4 = *(u64 *)(r10 -160)
  89: *(u64 *)(r10 -80) = r4
  90: *(u64 *)(r10 -104) = 0
  91: r1 = r10
  92: r1 += -104
  93: r2 = 32
  94: r3 = 0
  95: call pf_emit
; tuples.pf:7: print((1, (2, "b")));
  96: *(u64 *)(r10 -96) = 1
  97: *(u64 *)(r10 -88) = 2
  98: *(u64 *)(r10 -80) = 98
  99: *(u64 *)(r10 -104) = 1
 100: r1 = r10
 101: r1 += -104
 102: r2 = 32
 103: r3 = 0
 104: call pf_emit
; tuples.pf:8: $t = (2, "longer text", (tid, "c"));
 105: *(u64 *)(r10 -152) = 2
 106: *(u32 *)(r10 -144) = 1735290732
 107: *(u32 *)(r10 -140) = 1948283493
 108: *(u64 *)(r10 -136) = 7632997
 109: call bpf_get_current_pid_tgid#14
 110: w0 = w0
 111: *(u64 *)(r10 -128) = r0
 112: *(u64 *)(r10 -120) = 99
 113: *(u64 *)(r10 -112) = 0
 114: r4 = *(u64 *)(r10 -152)
 115: *(u64 *)(r10 -200) = r4
 116: r4 = *(u64 *)(r10 -144)
 117: *(u64 *)(r10 -192) = r4
 118: r4 = *(u64 *)(r10 -136)
 119: *(u64 *)(r10 -184) = r4
 120: r4 = *(u64 *)(r10 -128)
 121: *(u64 *)(r10 -176) = r4
 122: r4 = *(u64 *)(r10 -120)
 123: *(u64 *)(r10 -168) = r4
 124: r4 = *(u64 *)(r10 -112)
 125: *(u64 *)(r10 -160) = r4
; tuples.pf:9: delete(@u[1, 2]);
 126: *(u64 *)(r10 -32) = 1
 127: *(u64 *)(r10 -24) = 2
 128: r1 = map[map_1_u] ll
 130: r2 = r10
 131: r2 += -32
 132: call bpf_map_delete_elem#3
; tuples.pf:10: delete(@v, (1, 2));
 133: *(u64 *)(r10 -48) = 1
 134: *(u64 *)(r10 -40) = 2
 135: r1 = map[map_2_v] ll
 137: r2 = r10
 138: r2 += -48
 139: call bpf_map_delete_elem#3
; tuples.pf:11: clear(@u);
 140: *(u64 *)(r10 -8) = 2
 141: r1 = r10
 142: r1 += -8
 143: r2 = 8
 144: r3 = 0
 145: call pf_emit
; tuples.pf:12: zero(@v);
 146: *(u64 *)(r10 -16) = 3
 147: r1 = r10
 148: r1 += -16
 149: r2 = 8
 150: r3 = 0
 151: call pf_emit
 152: r0 = 0
 153: exit

.text: pf_set
   0: r6 = r4
   1: r4 = 0
   2: call bpf_map_update_elem#2
   3: if r0 == 0x0 goto +6
   4: w1 = 1
   5: if r0 != 0xfffffff9 goto +1
   6: w1 = 0
   7: r1 <<= 3
   8: r1 += r6
   9: call pf_loss
  10: exit

.text: pf_emit
   0: r6 = r3
   1: r3 = r2
   2: r2 = r1
   3: r1 = map[pf_map_events] ll
   5: r4 = 0
   6: call bpf_ringbuf_output#130
   7: if r0 == 0x0 goto +3
   8: r6 += 1
   9: r1 = r6
  10: call pf_loss
  11: exit

.text: pf_loss
   0: *(u32 *)(r10 -4) = r1
   1: r2 = r10
   2: r2 += -4
   3: r1 = map[pf_map_loss] ll
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +3
   7: r1 = *(u64 *)(r0 +0)
   8: r1 += 1
   9: *(u64 *)(r0 +0) = r1
  10: exit
