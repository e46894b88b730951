//! Makes the table of templates, `templates.rs`, of the prebuilt objects, so that nothing is left to read at run time.

#[path = "src/objects.rs"]
mod objects;
#[path = "src/template.rs"]
mod template;

use std::fmt::Write;
use std::path::Path;
use template::Template;

fn main() {
    let folder = "prebuilt";
    println!("cargo::rerun-if-changed={folder}");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the objects are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let objects: Vec<(String, &'static [u8])> = files.iter().map(|file| object(file)).collect();
    let objects: Vec<(&str, &[u8])> = objects
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    let templates = objects::read(&objects).unwrap_or_else(|error| panic!("{error}"));
    let mut table = String::from("&[\n");
    for template in &templates {
        row(&mut table, template);
    }
    table.push(']');
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&folder).join("templates.rs"), table).expect("it can be written");
}

/// An object's file name and its bytes.
fn object(file: &Path) -> (String, &'static [u8]) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let bytes = std::fs::read(file).expect("an object can be read");
    (name.into_owned(), bytes.leak())
}

/// A template as an expression of `src/library.rs`.
fn row(table: &mut String, template: &Template<'_>) {
    let Template {
        name,
        signature,
        code,
        relocations,
    } = template;
    write!(
        table,
        "Template {{ name: {name:?}, signature: {signature:?}, code: Cow::Borrowed(&{code:?}), relocations: &["
    )
    .expect("a string takes all");
    for relocation in relocations.iter() {
        write!(
            table,
            "Relocation {{ instruction: {}, referent: Referent::{:?} }}, ",
            relocation.instruction, relocation.referent
        )
        .expect("a string takes all");
    }
    table.push_str("] },\n");
}
