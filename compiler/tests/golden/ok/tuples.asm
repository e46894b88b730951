map map_0_t: type 1 key 24 value 48 entries 262144 flags 0x1
map map_1_u: type 1 key 16 value 8 entries 262144 flags 0x1
map map_2_v: type 1 key 16 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 8 flags 0x0
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
   6: r1 = r10
   7: r1 += -120
   8: r2 = 16
   9: call bpf_get_current_comm#16
  10: r4 = *(u64 *)(r10 -152)
  11: *(u64 *)(r10 -200) = r4
  12: r4 = *(u64 *)(r10 -144)
  13: *(u64 *)(r10 -192) = r4
  14: r4 = *(u64 *)(r10 -136)
  15: *(u64 *)(r10 -184) = r4
  16: r4 = *(u64 *)(r10 -128)
  17: *(u64 *)(r10 -176) = r4
  18: r4 = *(u64 *)(r10 -120)
  19: *(u64 *)(r10 -168) = r4
  20: r4 = *(u64 *)(r10 -112)
  21: *(u64 *)(r10 -160) = r4
; tuples.pf:3: @t[$t.0, $t.1] = $t;
  22: r4 = *(u64 *)(r10 -200)
  23: *(u64 *)(r10 -152) = r4
  24: r4 = *(u64 *)(r10 -192)
  25: *(u64 *)(r10 -144) = r4
  26: r4 = *(u64 *)(r10 -184)
  27: *(u64 *)(r10 -136) = r4
  28: r4 = *(u64 *)(r10 -176)
  29: *(u64 *)(r10 -128) = r4
  30: r4 = *(u64 *)(r10 -168)
  31: *(u64 *)(r10 -120) = r4
  32: r4 = *(u64 *)(r10 -160)
  33: *(u64 *)(r10 -112) = r4
  34: r1 = *(u64 *)(r10 -200)
  35: *(u64 *)(r10 -72) = r1
  36: r4 = *(u64 *)(r10 -192)
  37: *(u64 *)(r10 -64) = r4
  38: r4 = *(u64 *)(r10 -184)
  39: *(u64 *)(r10 -56) = r4
  40: r1 = map[map_0_t] ll
  42: r2 = r10
  43: r2 += -72
  44: r3 = r10
  45: r3 += -152
  46: r4 = 0
  47: call pf_set
; tuples.pf:4: @u[(1, 2)] = 1;
  48: *(u64 *)(r10 -8) = 1
  49: *(u64 *)(r10 -32) = 1
  50: *(u64 *)(r10 -24) = 2
  51: r1 = map[map_1_u] ll
  53: r2 = r10
  54: r2 += -32
  55: r3 = r10
  56: r3 += -8
  57: r4 = 0
  58: call pf_set
; tuples.pf:5: @v[1, 2] = @u[1, 2];
  59: *(u64 *)(r10 -32) = 1
  60: *(u64 *)(r10 -24) = 2
  61: *(u64 *)(r10 -16) = 0
  62: r1 = map[map_1_u] ll
  64: r2 = r10
  65: r2 += -32
  66: call bpf_map_lookup_elem#1
  67: if r0 == 0x0 goto +2
  68: r4 = *(u64 *)(r0 +0)
  69: *(u64 *)(r10 -16) = r4
  70: r1 = *(u64 *)(r10 -16)
  71: *(u64 *)(r10 -8) = r1
  72: *(u64 *)(r10 -48) = 1
  73: *(u64 *)(r10 -40) = 2
  74: r1 = map[map_2_v] ll
  76: r2 = r10
  77: r2 += -48
  78: r3 = r10
  79: r3 += -8
  80: r4 = 0
  81: call pf_set
; tuples.pf:6: print($t.2);
  82: r4 = *(u64 *)(r10 -176)
  83: *(u64 *)(r10 -96) = r4
  84: r4 = *(u64 *)(r10 -168)
  85: *(u64 *)(r10 -88) = r4
  86: r4 = *(u64 *)(r10 -160)
  87: *(u64 *)(r10 -80) = r4
  88: *(u64 *)(r10 -104) = 0
  89: r1 = r10
  90: r1 += -104
  91: r2 = 32
  92: r3 = 0
  93: call pf_emit
; tuples.pf:7: print((1, (2, "b")));
  94: *(u64 *)(r10 -96) = 1
  95: *(u64 *)(r10 -88) = 2
  96: *(u64 *)(r10 -80) = 98
  97: *(u64 *)(r10 -104) = 1
  98: r1 = r10
  99: r1 += -104
 100: r2 = 32
 101: r3 = 0
 102: call pf_emit
; tuples.pf:8: $t = (2, "longer text", (tid, "c"));
 103: *(u64 *)(r10 -152) = 2
 104: *(u32 *)(r10 -144) = 1735290732
 105: *(u32 *)(r10 -140) = 1948283493
 106: *(u64 *)(r10 -136) = 7632997
 107: call bpf_get_current_pid_tgid#14
 108: w0 = w0
 109: *(u64 *)(r10 -128) = r0
 110: *(u64 *)(r10 -120) = 99
 111: *(u64 *)(r10 -112) = 0
 112: r4 = *(u64 *)(r10 -152)
 113: *(u64 *)(r10 -200) = r4
 114: r4 = *(u64 *)(r10 -144)
 115: *(u64 *)(r10 -192) = r4
 116: r4 = *(u64 *)(r10 -136)
 117: *(u64 *)(r10 -184) = r4
 118: r4 = *(u64 *)(r10 -128)
 119: *(u64 *)(r10 -176) = r4
 120: r4 = *(u64 *)(r10 -120)
 121: *(u64 *)(r10 -168) = r4
 122: r4 = *(u64 *)(r10 -112)
 123: *(u64 *)(r10 -160) = r4
; tuples.pf:9: delete(@u[1, 2]);
 124: *(u64 *)(r10 -32) = 1
 125: *(u64 *)(r10 -24) = 2
 126: r1 = map[map_1_u] ll
 128: r2 = r10
 129: r2 += -32
 130: call bpf_map_delete_elem#3
; tuples.pf:10: delete(@v, (1, 2));
 131: *(u64 *)(r10 -48) = 1
 132: *(u64 *)(r10 -40) = 2
 133: r1 = map[map_2_v] ll
 135: r2 = r10
 136: r2 += -48
 137: call bpf_map_delete_elem#3
; tuples.pf:11: clear(@u);
 138: *(u64 *)(r10 -8) = 2
 139: r1 = r10
 140: r1 += -8
 141: r2 = 8
 142: r3 = 0
 143: call pf_emit
; tuples.pf:12: zero(@v);
 144: *(u64 *)(r10 -16) = 3
 145: r1 = r10
 146: r1 += -16
 147: r2 = 8
 148: r3 = 0
 149: call pf_emit
 150: r0 = 0
 151: exit

.text: pf_set
   0: r6 = r4
   1: r4 = 0
   2: call bpf_map_update_elem#2
   3: if r0 == 0x0 goto +2
   4: r1 = r6
   5: call pf_loss
   6: exit

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
