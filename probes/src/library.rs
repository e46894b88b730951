//! The templates of the prebuilt objects, by name: a table that the build script made of them (`objects.rs`), so that nothing is
//! read when pfscript starts.

use crate::{Referent, Relocation, Template};
use std::borrow::Cow;

/// All templates, in the order of their names.
static TEMPLATES: &[Template<'static>] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// All templates, by name.
#[derive(Debug)]
pub struct Library {
    templates: &'static [Template<'static>],
}

/// The library.
///
/// ```
/// let count = pfscript_probes::library().get("pf_count").unwrap();
/// assert_eq!(count.code.len() % 8, 0);
/// ```
pub fn library() -> &'static Library {
    static LIBRARY: Library = Library {
        templates: TEMPLATES,
    };
    &LIBRARY
}

impl Library {
    /// The template of that name.
    pub fn get(&self, name: &str) -> Option<&'static Template<'static>> {
        let at = self
            .templates
            .binary_search_by(|template| template.name.cmp(name));
        Some(&self.templates[at.ok()?])
    }

    /// All templates, in the order of their names.
    pub fn templates(&self) -> impl Iterator<Item = &'static Template<'static>> + use<> {
        self.templates.iter()
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.templates().map(|template| template.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn referents(name: &str) -> Vec<Referent<'static>> {
        let template = library().get(name).unwrap();
        template.relocations.iter().map(|r| r.referent).collect()
    }

    #[test]
    fn each_kind_of_reference_is_recognised() {
        assert_eq!(
            referents("pf_enter_framed")[4..],
            [
                Referent::Parameter("pf_param_loss"),
                Referent::Call("pf_loss"),
                Referent::Hole
            ]
        );
        assert_eq!(referents("pf_loss"), [Referent::Map("pf_map_loss")]);
        assert_eq!(
            referents("pf_vma"),
            [
                Referent::Callback("pf_vma_found"),
                Referent::Call("pf_loss")
            ]
        );
        assert_eq!(referents("pf_sdiv"), []);
    }
}
