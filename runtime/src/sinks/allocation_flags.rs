//! The flags that the kernel's memory is asked for with (`gfp_t`), by name: `%gr`.
//!
//! In comes a number, out goes text: the names of combinations first, then those of single flags, and what is left as a number.
//! The flags are those of Linux 6.10 and later (`include/linux/gfp_types.h`).

use super::push;

/// Combinations before what they are made of, then single flags.
const FLAGS: &[(u64, &str)] = &[
    (0x21c_24ca, "GFP_TRANSHUGE"),
    (0x21c_20ca, "GFP_TRANSHUGE_LIGHT"),
    (0x210_0cca, "GFP_HIGHUSER_MOVABLE"),
    (0x10_0cc2, "GFP_HIGHUSER"),
    (0x10_0cc0, "GFP_USER"),
    (0x40_0cc0, "GFP_KERNEL_ACCOUNT"),
    (0xcc0, "GFP_KERNEL"),
    (0xc40, "GFP_NOFS"),
    (0x820, "GFP_ATOMIC"),
    (0xc00, "GFP_NOIO"),
    (1, "GFP_DMA"),
    (1 << 1, "__GFP_HIGHMEM"),
    (1 << 2, "GFP_DMA32"),
    (1 << 5, "__GFP_HIGH"),
    (1 << 6, "__GFP_IO"),
    (1 << 7, "__GFP_FS"),
    (1 << 8, "__GFP_ZERO"),
    (1 << 10, "__GFP_DIRECT_RECLAIM"),
    (1 << 11, "__GFP_KSWAPD_RECLAIM"),
    (1 << 12, "__GFP_WRITE"),
    (1 << 13, "__GFP_NOWARN"),
    (1 << 14, "__GFP_RETRY_MAYFAIL"),
    (1 << 15, "__GFP_NOFAIL"),
    (1 << 16, "__GFP_NORETRY"),
    (1 << 17, "__GFP_MEMALLOC"),
    (1 << 18, "__GFP_COMP"),
    (1 << 19, "__GFP_NOMEMALLOC"),
    (1 << 20, "__GFP_HARDWALL"),
    (1 << 21, "__GFP_THISNODE"),
    (1 << 22, "__GFP_ACCOUNT"),
    (1 << 23, "__GFP_ZEROTAGS"),
    (1 << 24, "__GFP_SKIP_ZERO"),
    (1 << 25, "__GFP_SKIP_KASAN"),
    (1 << 26, "__GFP_NO_OBJ_EXT"),
];

/// Appends flags: `GFP_KERNEL|__GFP_ZERO`, or `0`.
pub(super) fn names(mut flags: u64, out: &mut Vec<u8>) {
    let begin = out.len();
    for (bits, name) in FLAGS {
        if flags & bits == *bits {
            flags &= !bits;
            if out.len() > begin {
                out.push(b'|');
            }
            out.extend_from_slice(name.as_bytes());
        }
    }
    match (flags, out.len() > begin) {
        (0, true) => {}
        (0, false) => out.push(b'0'),
        (_, true) => push(out, format_args!("|{flags:#x}")),
        (_, false) => push(out, format_args!("{flags:#x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_come_before_single_flags_and_numbers_last() {
        for (flags, text) in [
            (0, "0"),
            (1, "GFP_DMA"),
            (0xcc0, "GFP_KERNEL"),
            (0xdc0, "GFP_KERNEL|__GFP_ZERO"),
            (0x10_2cca, "GFP_HIGHUSER|__GFP_NOWARN|0x8"),
            (0x8, "0x8"),
            (0x21d_24ca, "GFP_TRANSHUGE|__GFP_NORETRY"),
        ] {
            let mut out = Vec::new();
            names(flags, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
