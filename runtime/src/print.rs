//! Values and maps as text, in bpftrace's form byte for byte. Pure functions over bytes and layouts.

use crate::decode::{self, Table, as_number, average, field, slice, string, unsigned};
use pfscript_compiler::manifest::{DataType, Layout, MapManifest, MapValue, StackMode};
use pfscript_grammar::escape::{Keep, escape_bytes};
use pfscript_probes::abi::{AVERAGE_COUNT, AVERAGE_TOTAL};
use pfscript_probes::maps::{linear_bounds, log2_bounds};
use std::io::Write as _;

/// What turns addresses into names.
pub trait Names {
    /// Appends a stack: a line for each frame, each ended by a newline.
    fn stack(&mut self, id: u64, user: bool, mode: StackMode, depth: u32, out: &mut Vec<u8>);
    /// Appends the name of a kernel function, or the address in hexadecimal.
    fn kernel_symbol(&mut self, address: u64, out: &mut Vec<u8>);
    /// Appends the name of a function of a process, or the address in hexadecimal.
    fn user_symbol(&mut self, address: u64, tgid: u32, out: &mut Vec<u8>);
}

/// Names nothing: addresses as they are, stacks empty.
#[derive(Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn stack(&mut self, _: u64, _: bool, _: StackMode, _: u32, _: &mut Vec<u8>) {}

    fn kernel_symbol(&mut self, address: u64, out: &mut Vec<u8>) {
        push(out, format_args!("{address:#x}"));
    }

    fn user_symbol(&mut self, address: u64, _: u32, out: &mut Vec<u8>) {
        push(out, format_args!("{address:#x}"));
    }
}

/// Appends formatted text.
pub(crate) fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector can't fail.
    let _ = out.write_fmt(text);
}

/// Appends text from the traced system so that a terminal can't be made to act on it.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(escape_bytes(text, Keep::Nothing).as_bytes());
}

/// Appends a value: `5`, `true`, `0x7f`, `text`, `(1, x)`, `[1,2]`, a stack or a symbol.
pub fn value(layout: &Layout, bytes: &[u8], names: &mut dyn Names, out: &mut Vec<u8>) {
    match &layout.ty {
        DataType::Int {
            bytes: size,
            signed: true,
        } => {
            push(
                out,
                format_args!("{}", decode::signed(slice(bytes, 0, *size))),
            );
        }
        DataType::Int {
            bytes: size,
            signed: false,
        } => {
            push(out, format_args!("{}", unsigned(slice(bytes, 0, *size))));
        }
        DataType::Bool => {
            let set = unsigned(slice(bytes, 0, 1)) != 0;
            push(out, format_args!("{set}"));
        }
        DataType::Pointer => push(out, format_args!("{:#x}", unsigned(slice(bytes, 0, 8)))),
        DataType::String => push_escaped(out, string(slice(bytes, 0, layout.size))),
        DataType::Tuple(_) => {
            out.push(b'(');
            fields(layout, bytes, names, out);
            out.push(b')');
        }
        DataType::Array { element, count } => {
            out.push(b'[');
            for index in 0..*count {
                if index > 0 {
                    out.push(b',');
                }
                value(
                    element,
                    slice(bytes, index * element.size, element.size),
                    names,
                    out,
                );
            }
            out.push(b']');
        }
        DataType::Stack { user, mode, depth } => {
            out.push(b'\n');
            names.stack(unsigned(slice(bytes, 0, 8)), *user, *mode, *depth, out);
        }
        DataType::KernelSymbol => names.kernel_symbol(unsigned(slice(bytes, 0, 8)), out),
        DataType::UserSymbol => {
            let tgid = unsigned(slice(bytes, 8, 4)) as u32;
            names.user_symbol(unsigned(slice(bytes, 0, 8)), tgid, out);
        }
    }
}

/// Appends the fields of a tuple without parentheses, as keys are printed; any other value as it is.
fn fields(layout: &Layout, bytes: &[u8], names: &mut dyn Names, out: &mut Vec<u8>) {
    let DataType::Tuple(parts) = &layout.ty else {
        value(layout, bytes, names, out);
        return;
    };
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        value(&part.layout, field(bytes, part), names, out);
    }
}

/// How a map is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapOptions {
    /// At most so many entries, the largest; 0 for all.
    pub top: u64,
    /// Numbers are divided by it; 0 and 1 leave them.
    pub divisor: u64,
}

impl Default for MapOptions {
    fn default() -> MapOptions {
        MapOptions { top: 0, divisor: 1 }
    }
}

/// Hands the text of each entry of a map to `emit`, in order; stops at the first error.
///
/// # Errors
/// `emit`'s.
pub fn map<E>(
    info: &MapManifest,
    table: &Table,
    options: MapOptions,
    names: &mut dyn Names,
    mut emit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let order = table.order(info);
    let skip = match usize::try_from(options.top) {
        Ok(top) if top > 0 => order.len().saturating_sub(top),
        _ => 0,
    };
    let mut line = Vec::new();
    for index in order.into_iter().skip(skip) {
        line.clear();
        line.extend_from_slice(info.name.as_bytes());
        if let Some(layout) = &info.key {
            line.push(b'[');
            fields(layout, table.key(index), names, &mut line);
            line.push(b']');
        }
        line.push(b':');
        map_value(
            &info.value,
            table.value(index),
            options.divisor.max(1),
            names,
            &mut line,
        );
        emit(&line)?;
    }
    Ok(())
}

/// Appends what stands behind the colon, newline included.
fn map_value(
    kind: &MapValue,
    bytes: &[u8],
    divisor: u64,
    names: &mut dyn Names,
    out: &mut Vec<u8>,
) {
    let divided = |value: i128| value / i128::from(divisor);
    let word = |index: u32| unsigned(slice(bytes, index * 8, 8));
    match kind {
        MapValue::Scalar(layout) => {
            out.push(b' ');
            match (&layout.ty, decode::number(layout, bytes)) {
                (DataType::Int { .. }, Some(number)) => {
                    push(out, format_args!("{}", divided(number)))
                }
                _ => value(layout, bytes, names, out),
            }
            out.push(b'\n');
        }
        MapValue::Count => push(out, format_args!(" {}\n", divided(word(0).into()))),
        MapValue::Sum { signed } | MapValue::Min { signed } | MapValue::Max { signed } => {
            push(
                out,
                format_args!(" {}\n", divided(as_number(word(0), *signed))),
            );
        }
        MapValue::Avg { signed } => {
            push(out, format_args!(" {}\n", divided(average(bytes, *signed))));
        }
        MapValue::Stats { signed } => push(
            out,
            format_args!(
                " {{ .count = {}, .average = {}, .total = {} }}\n",
                unsigned(AVERAGE_COUNT.of(bytes)),
                divided(average(bytes, *signed)),
                as_number(unsigned(AVERAGE_TOTAL.of(bytes)), *signed)
            ),
        ),
        MapValue::Hist { bits } => {
            histogram(bytes, divisor, out, |index| log2_label(index, *bits));
        }
        MapValue::LHist { min, max, step } => {
            // bpftrace divides the counts of `hist` alone.
            histogram(bytes, 1, out, |index| {
                linear_label(index, *min, *max, *step)
            });
        }
    }
}

/// Appends the rows of a histogram from its first to its last bucket that is not empty, and an empty line. Division
/// changes counts and bars, not which rows there are.
fn histogram(bytes: &[u8], divisor: u64, out: &mut Vec<u8>, label: impl Fn(u32) -> String) {
    const BAR: usize = 52;
    let counts: Vec<u64> = bytes.chunks_exact(8).map(unsigned).collect();
    out.push(b'\n');
    let used = |count: &u64| *count > 0;
    if let (Some(first), Some(last)) = (counts.iter().position(used), counts.iter().rposition(used))
    {
        let most = counts.iter().copied().max().unwrap_or(0) / divisor;
        for (index, count) in counts.iter().enumerate().take(last + 1).skip(first) {
            let count = count / divisor;
            // At most `BAR`, since no count is above `most`.
            let width = (u128::from(count) * BAR as u128)
                .checked_div(most.into())
                .unwrap_or(0) as usize;
            push(
                out,
                format_args!(
                    "{:<16}{count:>8} |{:<BAR$}|\n",
                    label(index as u32),
                    "@".repeat(width),
                ),
            );
        }
    }
    out.push(b'\n');
}

/// `[a, b)`, or `[a]` where there is nothing else in it.
fn interval((lower, upper): (i64, i64), edge: impl Fn(i64) -> String) -> String {
    match (lower, upper) {
        (i64::MIN, upper) => format!("(..., {})", edge(upper)),
        (lower, i64::MAX) => format!("[{}, ...)", edge(lower)),
        (lower, upper) if lower.checked_add(1) == Some(upper) => format!("[{}]", edge(lower)),
        (lower, upper) => format!("[{}, {})", edge(lower), edge(upper)),
    }
}

/// A bucket of `hist`: powers of two above 2^10 times the number of parts get a suffix, so that they stay short.
fn log2_label(index: u32, bits: u32) -> String {
    const SUFFIXES: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    interval(log2_bounds(index, bits), |edge| {
        let decade = edge.checked_ilog2().unwrap_or(0).saturating_sub(bits) / 10;
        let suffix = SUFFIXES.get(decade as usize).copied().unwrap_or("");
        format!("{}{suffix}", edge >> (10 * decade))
    })
}

/// A bucket of `lhist`: edges get a suffix only where the step is a multiple of 1024.
fn linear_label(index: u32, min: i64, max: i64, step: i64) -> String {
    const KILO: i64 = 1 << 10;
    const MEGA: i64 = 1 << 20;
    interval(linear_bounds(index, min, max, step), |edge| {
        if step % KILO != 0 || edge == 0 {
            format!("{edge}")
        } else if edge % MEGA == 0 {
            format!("{}M", edge / MEGA)
        } else if edge % KILO == 0 {
            format!("{}K", edge / KILO)
        } else {
            format!("{edge}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::{int, map as map_info, words};
    use pfscript_compiler::manifest::Field;

    fn layout(size: u32, ty: DataType) -> Layout {
        Layout { size, ty }
    }

    fn text(layout: &Layout, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        value(layout, bytes, &mut NoNames, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn tuple(parts: &[(u32, Layout)]) -> Layout {
        let size = parts
            .iter()
            .map(|(offset, part)| offset + part.size)
            .max()
            .unwrap_or(0);
        let fields = parts
            .iter()
            .map(|(offset, layout)| Field {
                offset: *offset,
                layout: layout.clone(),
            })
            .collect();
        layout(size, DataType::Tuple(fields))
    }

    fn map_text(info: &MapManifest, entries: &[(Vec<u8>, Vec<u8>)], options: MapOptions) -> String {
        let mut out = Vec::new();
        map::<()>(
            info,
            &Table::from_entries(entries),
            options,
            &mut NoNames,
            |line| {
                out.extend_from_slice(line);
                Ok(())
            },
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_print_as_in_bpftrace() {
        assert_eq!(text(&int(1, true), &[0xfb]), "-5");
        assert_eq!(text(&int(8, false), &[0xff; 8]), "18446744073709551615");
        assert_eq!(text(&layout(1, DataType::Bool), &[1]), "true");
        assert_eq!(text(&layout(8, DataType::Pointer), &words(&[0])), "0x0");
        assert_eq!(
            text(&layout(8, DataType::Pointer), &words(&[0x7f01])),
            "0x7f01"
        );
        assert_eq!(text(&layout(4, DataType::String), b"ab\0c"), "ab");
        assert_eq!(text(&layout(4, DataType::String), b"abcd"), "abcd");
        let inner = tuple(&[(0, int(8, true)), (8, int(8, true))]);
        let outer = tuple(&[
            (0, int(8, true)),
            (8, layout(8, DataType::String)),
            (16, inner),
        ]);
        let mut bytes = words(&[1]);
        bytes.extend(b"x\0\0\0\0\0\0\0");
        bytes.extend(words(&[2, 3]));
        assert_eq!(text(&outer, &bytes), "(1, x, (2, 3))");
        let array = layout(
            3,
            DataType::Array {
                element: Box::new(int(1, false)),
                count: 3,
            },
        );
        assert_eq!(text(&array, &[1, 2, 255]), "[1,2,255]");
    }

    #[test]
    fn bytes_that_are_not_there_do_no_harm() {
        assert_eq!(text(&int(8, false), &[]), "0");
        let outer = tuple(&[(0, int(8, true)), (8, layout(8, DataType::String))]);
        assert_eq!(text(&outer, &[1]), "(1, )");
    }

    #[test]
    fn a_map_without_key_is_one_line() {
        let info = map_info("@y", None, MapValue::Scalar(int(8, true)));
        assert_eq!(
            map_text(&info, &[(words(&[0]), words(&[5]))], MapOptions::default()),
            "@y: 5\n"
        );
        assert_eq!(map_text(&info, &[], MapOptions::default()), "");
    }

    #[test]
    fn keys_are_joined_and_inner_tuples_keep_their_parentheses() {
        let inner = tuple(&[(0, int(8, true)), (8, int(8, true))]);
        let key = tuple(&[(0, int(8, true)), (8, inner)]);
        let value = tuple(&[(0, int(8, true)), (8, layout(8, DataType::String))]);
        let info = map_info("@x", Some(key), MapValue::Scalar(value));
        let mut bytes = words(&[4]);
        bytes.extend(b"b\0\0\0\0\0\0\0");
        assert_eq!(
            map_text(&info, &[(words(&[1, 2, 3]), bytes)], MapOptions::default()),
            "@x[1, (2, 3)]: (4, b)\n"
        );
    }

    #[test]
    fn aggregates_print_as_in_bpftrace() {
        let line = |kind, value: &[i64]| {
            map_text(
                &map_info("@", None, kind),
                &[(words(&[0]), words(value))],
                MapOptions::default(),
            )
        };
        assert_eq!(line(MapValue::Count, &[3]), "@: 3\n");
        assert_eq!(line(MapValue::Sum { signed: true }, &[-5]), "@: -5\n");
        assert_eq!(
            line(MapValue::Sum { signed: false }, &[-1]),
            "@: 18446744073709551615\n"
        );
        assert_eq!(line(MapValue::Avg { signed: true }, &[2, 11]), "@: 5\n");
        assert_eq!(line(MapValue::Min { signed: true }, &[-3, 1]), "@: -3\n");
        assert_eq!(
            line(MapValue::Stats { signed: true }, &[2, 11]),
            "@: { .count = 2, .average = 5, .total = 11 }\n"
        );
    }

    #[test]
    fn the_largest_entries_are_the_last_ones() {
        let info = map_info("@x", Some(int(8, true)), MapValue::Count);
        let entries: Vec<_> = (1..=3).map(|n| (words(&[n]), words(&[n]))).collect();
        let shown = |top, divisor| map_text(&info, &entries, MapOptions { top, divisor });
        assert_eq!(shown(2, 1), "@x[2]: 2\n@x[3]: 3\n");
        assert_eq!(shown(2, 2), "@x[2]: 1\n@x[3]: 1\n");
        assert_eq!(shown(0, 0), "@x[1]: 1\n@x[2]: 2\n@x[3]: 3\n");
        assert_eq!(shown(9, 1), shown(0, 1));
    }

    #[test]
    fn division_leaves_counts_and_totals_of_stats_alone() {
        let info = map_info("@f", Some(int(8, true)), MapValue::Stats { signed: true });
        let entries = [(words(&[2]), words(&[2, 505]))];
        assert_eq!(
            map_text(&info, &entries, MapOptions { top: 1, divisor: 2 }),
            "@f[2]: { .count = 2, .average = 126, .total = 505 }\n"
        );
        let info = map_info("@g", None, MapValue::Avg { signed: true });
        let entries = [(words(&[0]), words(&[1, -7]))];
        assert_eq!(
            map_text(&info, &entries, MapOptions { top: 0, divisor: 2 }),
            "@g: -3\n"
        );
    }

    /// The histogram whose buckets hold `counts`, from index 0.
    fn histogram_text(
        kind: MapValue,
        size: usize,
        counts: &[(usize, i64)],
        divisor: u64,
    ) -> String {
        let mut buckets = vec![0; size];
        for (index, count) in counts {
            buckets[*index] = *count;
        }
        let info = map_info("@", None, kind);
        map_text(
            &info,
            &[(words(&[0]), words(&buckets))],
            MapOptions { top: 0, divisor },
        )
    }

    #[test]
    fn power_of_two_histograms_print_as_in_bpftrace() {
        let shown = histogram_text(
            MapValue::Hist { bits: 0 },
            65,
            &[(0, 2), (1, 1), (2, 1), (3, 2)],
            1,
        );
        assert_eq!(
            shown,
            "\
@:
(..., 0)               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[0]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |
[1]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |
[2, 4)                 2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|

"
        );
        let shown = histogram_text(MapValue::Hist { bits: 0 }, 65, &[(12, 2), (51, 2)], 2);
        assert!(
            shown.starts_with("@:\n[1K, 2K)               1 |@@@"),
            "{shown}"
        );
        assert!(
            shown.contains("\n[512K, 1M)             0 |    "),
            "{shown}"
        );
        assert!(
            shown.contains("\n[512T, 1P)             1 |@@@@"),
            "{shown}"
        );
    }

    #[test]
    fn division_changes_counts_and_bars_of_hist_but_not_its_rows() {
        let counts = [(2, 7), (3, 1), (4, 3)];
        assert_eq!(
            histogram_text(MapValue::Hist { bits: 0 }, 65, &counts, 2),
            "\
@:
[1]                    3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[2, 4)                 0 |                                                    |
[4, 8)                 1 |@@@@@@@@@@@@@@@@@                                   |

"
        );
        assert_eq!(
            histogram_text(MapValue::Hist { bits: 0 }, 65, &counts[..1], 100),
            "\
@:
[1]                    0 |                                                    |

"
        );
        let kind = MapValue::LHist {
            min: 0,
            max: 10,
            step: 1,
        };
        let shown = histogram_text(kind, 12, &[(2, 3), (3, 1)], 5);
        assert!(shown.contains("[1]                    3 |@@@@"), "{shown}");
    }

    #[test]
    fn an_empty_histogram_has_no_rows() {
        assert_eq!(
            histogram_text(MapValue::Hist { bits: 0 }, 65, &[], 1),
            "@:\n\n"
        );
    }

    #[test]
    fn labels_of_power_of_two_buckets_are_those_of_bpftrace() {
        // `hist(n, 2)` and `hist(n, 5)`; bucket 0 holds the negative values.
        let labels: Vec<String> = (0..12).map(|index| log2_label(index, 2)).collect();
        assert_eq!(
            labels,
            [
                "(..., 0)", "[0]", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]", "[8, 10)",
                "[10, 12)", "[12, 14)"
            ]
        );
        let all: Vec<String> = (0..250).map(|index| log2_label(index, 2)).collect();
        for label in [
            "[896, 1024)",
            "[1024, 1280)",
            "[3584, 4K)",
            "[4K, 5K)",
            "[28K, 32K)",
        ] {
            assert!(all.iter().any(|one| one == label), "{label}");
        }
        assert_eq!(log2_label(65, 5), "[64, 66)");
        assert_eq!(log2_label(64, 0), "[4E, ...)");
    }

    #[test]
    fn linear_histograms_print_as_in_bpftrace() {
        let kind = MapValue::LHist {
            min: 0,
            max: 100,
            step: 10,
        };
        let shown = histogram_text(kind, 12, &[(0, 1), (1, 1), (3, 1), (11, 1)], 1);
        assert!(
            shown.starts_with(
                "\
@:
(..., 0)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[0, 10)                1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[10, 20)               0 |                                                    |
"
            ),
            "{shown}"
        );
        assert!(shown.ends_with("@@@@|\n\n"));
        assert!(shown.contains("\n[100, ...)             1 |@@@@"));
    }

    #[test]
    fn labels_of_linear_buckets_are_those_of_bpftrace() {
        let label = |index, max, step| linear_label(index, 0, max, step);
        assert_eq!(label(6, 100, 1), "[5]");
        assert_eq!(label(6, 10000, 1000), "[5000, 6000)");
        assert_eq!(label(1, 10240, 1024), "[0, 1K)");
        assert_eq!(label(11, 10240, 1024), "[10K, ...)");
        assert_eq!(label(3, 10 << 20, 1 << 20), "[2M, 3M)");
        assert_eq!(label(2, 2147483647, 500 << 20), "[500M, 1000M)");
        assert_eq!(
            linear_label(2, 512 << 10, 10 << 20, 512 << 10),
            "[1M, 1536K)"
        );
        assert_eq!(linear_label(4, 0, 10, 3), "[9, ...)");
    }
}
