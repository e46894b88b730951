//! Flame graphs: a picture of a tree of calls, in which a box is as wide as what its function weighs. A click zooms, Ctrl-F searches.
//!
//! In comes a tree, out goes SVG with its own script, which needs nothing else. Colours say what a frame is; functions of one kind differ
//! by their names a little, and are the same in each picture. What is too narrow to be seen is left out of it, so that neither the
//! picture nor what it takes to draw it grows with what was traced.

use super::folded;
use super::tree::{CallTree, Frame, Kind};
use inferno::flamegraph::color::{BackgroundColor, Color, PaletteMap};
use inferno::flamegraph::{self, Options};
use std::io;

/// The narrowest box that is drawn is this part of the picture's width.
const NARROWEST: u64 = 20_000;

/// Bytes of folded text that is drawn at most.
const MAX_TEXT: usize = 32 << 20;

/// Numbers up to this are exact in the script of the picture.
const MAX_TOTAL: u64 = 1 << 52;

/// What stands above and in a picture.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The title.
    pub title: &'a str,
    /// What weights are counted in: `bytes`.
    pub unit: &'a str,
}

/// What the colours mean.
const LEGEND: &str =
    "grey: process and kind · yellow: user · green: interpreted · blue: kernel · violet: inlined";

/// The picture as SVG.
///
/// # Errors
/// Those of what draws it; there is no reason for one.
pub fn draw(tree: &CallTree, labels: Labels<'_>) -> io::Result<Vec<u8>> {
    let total = tree.total();
    let mut svg = Vec::new();
    if total == 0 {
        svg.extend_from_slice(EMPTY.as_bytes());
        return Ok(svg);
    }
    let shift = total
        .checked_ilog2()
        .unwrap_or(0)
        .saturating_sub(MAX_TOTAL.ilog2());
    let mut least = total.div_ceil(NARROWEST).max(1 << shift);
    let (lines, mut palette) = loop {
        match lines(tree, least, shift) {
            Some(found) => break found,
            None => least *= 2,
        }
    };
    let mut options = Options::default();
    options.title = labels.title.to_owned();
    options.subtitle = Some(LEGEND.to_owned());
    options.count_name = labels.unit.to_owned();
    options.bgcolors = Some(BackgroundColor::Grey);
    options.palette_map = Some(&mut palette);
    options.factor = (1_u64 << shift) as f64;
    options.min_width = 0.0;
    // Names are told apart at their beginning.
    options.text_truncate_direction = flamegraph::TextTruncateDirection::Right;
    // Lines are taken as they are, from the last one on: sorted as text, a function could come apart.
    options.flame_chart = true;
    let lines = lines.iter().rev().map(String::as_str);
    flamegraph::from_lines(&mut options, lines, &mut svg)?;
    Ok(svg)
}

/// What is drawn of a tree without weight.
const EMPTY: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="1200" height="60"><text x="600" y="34" text-anchor="middle" font-family="monospace" font-size="14">no stacks</text></svg>
"#;

/// The folded lines and the colours of their frames; `None` if that is too much.
fn lines(tree: &CallTree, least: u64, shift: u32) -> Option<(Vec<String>, PaletteMap)> {
    let mut lines = Vec::new();
    let mut palette = PaletteMap::default();
    // What draws it has no name for the frame below all.
    palette.insert("", Color::new(200, 200, 200));
    let mut bytes = 0;
    let visited = tree.visit(least, |path, weight| {
        let mut line = String::new();
        if path.is_empty() {
            line.push_str("[no stack, or too narrow]");
        }
        folded::push(path, &mut line, mark);
        line.push_str(&format!(" {}", weight >> shift));
        bytes += line.len();
        for frame in path {
            let name = format!("{}{}", frame.name, mark(frame));
            if palette.get(&name).is_none() {
                palette.insert(name, color(frame));
            }
        }
        lines.push(line);
        match bytes > MAX_TEXT {
            true => Err(()),
            false => Ok(()),
        }
    });
    visited.ok()?;
    Some((lines, palette))
}

/// What tells frames of a name apart. The picture shows none of it but the word.
fn mark(frame: &Frame) -> &'static str {
    match frame.kind {
        Kind::Label => "_[w]",
        Kind::User => "",
        Kind::Interpreted => "_[j]",
        Kind::Kernel => "_[k]",
        Kind::Inlined => " [inlined]_[i]",
    }
}

/// A frame's colour: by what it is, and a little by its name.
fn color(frame: &Frame) -> Color {
    // FNV-1a, so that it is the same everywhere.
    let hash = frame
        .name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3_u64)
        });
    let vary = |base: u8, room: u8| base + ((hash >> 32) % u64::from(room)) as u8;
    let (r, g, b) = match frame.kind {
        Kind::Label => (vary(190, 30), vary(190, 30), vary(190, 30)),
        Kind::User => (vary(230, 25), vary(150, 75), vary(50, 40)),
        Kind::Interpreted => (vary(90, 50), vary(190, 40), vary(90, 50)),
        Kind::Kernel => (vary(90, 60), vary(150, 50), vary(220, 30)),
        Kind::Inlined => (vary(185, 40), vary(130, 40), vary(210, 30)),
    };
    Color::new(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: Labels<'static> = Labels {
        title: "a <title>",
        unit: "bytes",
    };

    fn drawn(tree: &CallTree) -> String {
        String::from_utf8(draw(tree, LABELS).unwrap()).unwrap()
    }

    fn user(name: &str) -> Frame {
        Frame::new(Kind::User, name.as_bytes())
    }

    /// The boxes: their texts, and the colours.
    fn boxes(svg: &str) -> Vec<(&str, &str)> {
        let groups = svg.split("<g><title>").skip(1);
        groups
            .map(|group| {
                let title = group.split("</title>").next().unwrap();
                let fill = group.split("fill=\"").nth(1).unwrap();
                (title, fill.split('"').next().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_function_is_one_box_whatever_comes_beside_it() {
        let mut tree = CallTree::default();
        tree.add(&[user("a")], 10);
        tree.add(&[user("a-x")], 10);
        tree.add(&[user("a"), user("b")], 20);
        let svg = drawn(&tree);
        let titles: Vec<&str> = boxes(&svg).iter().map(|(title, _)| *title).collect();
        let count = |title| titles.iter().filter(|found| **found == title).count();
        assert_eq!(count("a (30 bytes, 75.00%)"), 1, "{titles:?}");
        assert_eq!(count("b (20 bytes, 50.00%)"), 1, "{titles:?}");
        assert!(svg.contains("a &lt;title&gt;"));
    }

    #[test]
    fn the_kinds_have_their_colours_and_inlined_functions_a_word() {
        let mut tree = CallTree::default();
        let kinds = [
            Kind::Label,
            Kind::User,
            Kind::Interpreted,
            Kind::Kernel,
            Kind::Inlined,
        ];
        tree.add(&kinds.map(|kind| Frame::new(kind, b"f")), 3);
        let svg = drawn(&tree);
        let boxes = boxes(&svg);
        let colors: Vec<&str> = boxes[..5].iter().map(|(_, color)| *color).collect();
        for (index, color) in colors.iter().enumerate() {
            assert!(!colors[..index].contains(color), "{boxes:?}");
        }
        let titles: Vec<&str> = boxes.iter().map(|(title, _)| *title).collect();
        assert!(
            titles.contains(&"f [inlined] (3 bytes, 100.00%)"),
            "{titles:?}"
        );
        assert!(titles.contains(&"f (3 bytes, 100.00%)"), "{titles:?}");
    }

    #[test]
    fn names_cannot_break_out() {
        let mut tree = CallTree::default();
        tree.add(
            &[
                user("</title><script>alert(1)</script>]]>"),
                user("\u{ffff}\0"),
            ],
            1,
        );
        let svg = drawn(&tree);
        assert!(!svg.contains("<script>"), "{svg}");
        assert!(!svg.contains('\u{ffff}') && !svg.contains('\0'));
    }

    #[test]
    fn totals_beyond_what_scripts_count_exactly_are_drawn() {
        let mut tree = CallTree::default();
        tree.add(&[user("a")], u64::MAX / 2);
        tree.add(&[user("b")], u64::MAX / 4);
        let svg = drawn(&tree);
        assert!(svg.contains("66.67%"), "{:?}", boxes(&svg));
    }

    #[test]
    fn what_is_too_narrow_is_one_box() {
        let mut tree = CallTree::default();
        for number in 0..30_000 {
            tree.add(&[user(&format!("f{number}"))], 1);
        }
        let svg = drawn(&tree);
        assert_eq!(boxes(&svg).len(), 2, "with that below all");
        assert!(svg.contains("[no stack, or too narrow] (30,000 bytes, 100.00%)"));
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(drawn(&CallTree::default()).contains("no stacks"));
    }

    #[test]
    fn the_picture_of_many_deep_stacks_stays_small() {
        let mut tree = CallTree::default();
        let name = "x".repeat(200);
        for stack in 0..200 {
            let frames: Vec<Frame> = (0..2000)
                .map(|depth| user(&format!("{name}{}", depth * (stack + 1))))
                .collect();
            tree.add(&frames, 1);
        }
        assert!(
            lines(&tree, 1, 0).is_none(),
            "it is too much to be drawn whole"
        );
        assert!(drawn(&tree).len() < 256 << 20);
    }
}
