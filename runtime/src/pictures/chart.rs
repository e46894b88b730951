//! A chart of a process's memory over time, as SVG: the kinds one upon the other.

use super::history::{KINDS, Sample};
use crate::sinks::size;
use std::fmt::Write as _;

/// In pixels, without what stands beside it.
const WIDTH: f64 = 1040.0;
const HEIGHT: f64 = 180.0;

/// Room for numbers at the left, and for the legend above.
const LEFT: f64 = 90.0;
const TOP: f64 = 30.0;

/// A colour for each kind.
const COLORS: [&str; KINDS.len()] = ["#e0a030", "#7090d0", "#70b070", "#b0b0b0"];

/// The chart; empty of fewer than two samples.
pub fn draw(samples: &[Sample]) -> String {
    let mut svg = String::new();
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return svg;
    };
    let time = (last.at - first.at).as_secs_f64();
    let sums = samples.iter().map(|sample| sample.kib.iter().sum::<u64>());
    let most = sums.max().unwrap_or(0);
    if time <= 0.0 || most == 0 {
        return svg;
    }
    let x = |sample: &Sample| LEFT + (sample.at - first.at).as_secs_f64() / time * WIDTH;
    let y = |kib: u64| TOP + HEIGHT - kib as f64 / most as f64 * HEIGHT;
    let (width, height) = (LEFT + WIDTH + 20.0, TOP + HEIGHT + 30.0);
    let bottom = TOP + HEIGHT;
    let mut put = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = svg.write_fmt(text);
    };
    put(format_args!(
        "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"resident memory over time\">\n"
    ));
    for (kind, (name, _)) in KINDS.iter().enumerate() {
        if samples.iter().all(|sample| sample.kib[kind] == 0) {
            continue;
        }
        let below = |sample: &Sample| sample.kib[..kind].iter().sum::<u64>();
        let above = |sample: &Sample| sample.kib[..=kind].iter().sum::<u64>();
        let color = COLORS[kind];
        put(format_args!("<polygon fill=\"{color}\" points=\""));
        for sample in samples {
            put(format_args!("{:.1},{:.1} ", x(sample), y(above(sample))));
        }
        for sample in samples.iter().rev() {
            put(format_args!("{:.1},{:.1} ", x(sample), y(below(sample))));
        }
        let (from, to) = (size(first.kib[kind] << 10), size(last.kib[kind] << 10));
        put(format_args!(
            "\"><title>{name}: {from} → {to}</title></polygon>\n"
        ));
        let at = LEFT + 150.0 * kind as f64;
        put(format_args!(
            "<rect x=\"{at}\" y=\"6\" width=\"12\" height=\"12\" fill=\"{color}\"/><text x=\"{}\" y=\"16\">{name}</text>\n",
            at + 18.0
        ));
    }
    let digits = if time < 10.0 { 2 } else { 0 };
    for part in [0.0, 0.5, 1.0] {
        let bytes = (most as f64 * part) as u64 * 1024;
        let at = bottom - HEIGHT * part;
        put(format_args!(
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
            LEFT + WIDTH,
            LEFT - 8.0,
            at + 4.0,
            size(bytes)
        ));
        put(format_args!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{:.digits$} s</text>\n",
            LEFT + WIDTH * part,
            bottom + 20.0,
            time * part
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn kinds_lie_one_upon_the_other() {
        let sample = |seconds, kib| Sample {
            at: Duration::from_secs(seconds),
            kib,
        };
        let svg = draw(&[sample(0, [0, 512, 0, 0]), sample(10, [1536, 512, 0, 0])]);
        // The first from the bottom to three quarters, the second from there to the top.
        assert!(
            svg.contains("points=\"90.0,210.0 1130.0,75.0 1130.0,210.0 90.0,210.0 \""),
            "{svg}"
        );
        assert!(
            svg.contains("points=\"90.0,165.0 1130.0,30.0 1130.0,75.0 90.0,210.0 \""),
            "{svg}"
        );
        assert!(
            svg.contains("anonymous: 0 KiB → 1.5 MiB") && svg.contains(">2.0 MiB<"),
            "{svg}"
        );
        assert!(svg.contains(">10 s<") && !svg.contains("shared"), "{svg}");
        assert_eq!(draw(&[sample(0, [1, 0, 0, 0])]), "");
    }
}
