//! `random-programs FOLDER COUNT [FIRST]`: writes the programs of so many seeds to `SEED-loops.pf` and what they print to
//! `SEED-loops.out`, for machines that have nothing but the command. Every fourth, `SEED-plain`, suits old kernels too. Beside
//! these are programs of time series, `SEED.series.pf`.

use pfscript_testkit::programs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let (folder, count, first) = match &arguments[..] {
        [folder, count] => (folder, number(count), 0),
        [folder, count, first] => (folder, number(count), number(first)),
        _ => panic!("usage: random-programs FOLDER COUNT [FIRST]"),
    };
    for seed in first..first + count {
        let features = programs::features(seed);
        let kind = if features.loops { "loops" } else { "plain" };
        let program = programs::program(seed, features);
        let file = |ending: &str| Path::new(folder).join(format!("{seed:05}-{kind}.{ending}"));
        std::fs::write(file("pf"), program.source)?;
        std::fs::write(file("out"), program.output)?;
        if !features.loops {
            let program = programs::series::program(seed);
            let file = |ending: &str| Path::new(folder).join(format!("{seed:05}.series.{ending}"));
            std::fs::write(file("pf"), program.source)?;
            std::fs::write(file("out"), program.output)?;
        }
    }
    Ok(())
}
