//! The script's maps: what is known of their keys and values, which all uses must agree on.

use super::{Checker, Declared};
use crate::hir::{Aggregate, ScriptMap};
use crate::types::Type;
use cranelift_entity::EntityRef;
use pfscript_grammar::{Diagnostic, Span};

/// A map of the script.
#[derive(Clone, Debug)]
pub struct MapInfo {
    /// With the `@`.
    pub name: String,
    /// The types of its keys; `Some(vec![])` for a map without key, `None` while unknown.
    pub key: Option<Vec<Type>>,
    /// What it holds.
    pub value: MapContent,
    /// Where it was first seen.
    pub span: Span,
    /// User space empties it while programs use it.
    pub emptied_while_used: bool,
    /// So many new elements may one event bring while interrupts are off.
    pub new_at_once: u32,
    /// The script assigns values to elements, and does not only add to them.
    pub assigned: bool,
    /// Programs read what it has gathered, so that no CPU can have its own part.
    pub read_by_programs: bool,
    /// What the script says of it, if it does.
    pub declared: Option<Declared>,
}

/// What a map holds.
#[derive(Clone, Debug, PartialEq)]
pub enum MapContent {
    /// Nothing was assigned to it yet.
    Unknown,
    /// Plain values.
    Scalar(Type),
    /// An aggregation, and whether its numbers are signed.
    Aggregate(Aggregate, bool),
}

/// How a place in the script uses a map's key.
pub enum KeyUse {
    /// The map as a whole.
    Whole,
    /// An element, with the types of its keys (none for a map without key).
    Element(Vec<Type>),
}

impl Checker<'_> {
    /// The name of a map, with what this use says of its key.
    ///
    /// # Errors
    /// If the key does not fit what the map's key is elsewhere.
    pub fn map(&mut self, name: &str, key: KeyUse, span: Span) -> Result<ScriptMap, Diagnostic> {
        let entry = self.env.maps.entry(name.to_string());
        let index = entry.index();
        let map = entry.or_insert_with(|| MapInfo {
            name: format!("@{name}"),
            key: None,
            value: MapContent::Unknown,
            span,
            emptied_while_used: false,
            new_at_once: 0,
            assigned: false,
            read_by_programs: false,
            declared: self.env.declared.get(name).copied(),
        });
        if let KeyUse::Element(types) = key {
            let joined = match map.key.as_deref() {
                None | Some([Type::Unknown]) => types,
                Some(known) if *types == [Type::Unknown] => known.to_vec(),
                Some(known) if known.len() == types.len() => {
                    self.types.join_all(known, &types).ok_or_else(|| {
                        Diagnostic::error(
                            span,
                            format!(
                                "the key of `{}` is [{}] here, but [{}] elsewhere",
                                map.name,
                                self.types.describe_all(&types),
                                self.types.describe_all(known)
                            ),
                        )
                    })?
                }
                Some(known) => {
                    let count = |n: usize| match n {
                        0 => "no key".to_string(),
                        1 => "one key".to_string(),
                        n => format!("{n} keys"),
                    };
                    return Err(Diagnostic::error(
                        span,
                        format!(
                            "`{}` is used with {} here, but with {} elsewhere",
                            map.name,
                            count(types.len()),
                            count(known.len())
                        ),
                    ));
                }
            };
            if map.key.as_ref() != Some(&joined) {
                map.key = Some(joined);
                self.env.changed = true;
                self.env.last_change = Some(span);
            }
        }
        Ok(ScriptMap::new(index))
    }

    /// What a map is known to hold.
    pub(crate) fn content(&self, map: ScriptMap) -> &MapContent {
        &self.info(map).value
    }

    /// Whether a map is used as one value, without key.
    pub fn is_without_key(&self, map: ScriptMap) -> bool {
        self.info(map).key.as_deref() == Some(&[])
    }

    /// Notes that an element is assigned a value that does not come from adding to it.
    pub(super) fn note_assigned(&mut self, map: ScriptMap) {
        self.env.maps[cranelift_entity::EntityRef::index(map)].assigned = true;
    }

    pub(super) fn info(&self, map: ScriptMap) -> &MapInfo {
        &self.env.maps[map.index()]
    }

    /// Notes what an assignment stores in a map.
    ///
    /// # Errors
    /// If the map holds something else elsewhere.
    pub(super) fn store(
        &mut self,
        map: ScriptMap,
        content: MapContent,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let info = &mut self.env.maps[map.index()];
        let joined = match (&info.value, &content) {
            (MapContent::Unknown, new) => new.clone(),
            (MapContent::Scalar(old), MapContent::Scalar(new)) => {
                MapContent::Scalar(self.types.join(*old, *new).ok_or_else(|| {
                    Diagnostic::error(
                        span,
                        format!(
                            "`{}` is {} elsewhere, but is assigned {} here",
                            info.name,
                            self.types.describe(*old),
                            self.types.describe(*new)
                        ),
                    )
                })?)
            }
            (MapContent::Aggregate(old, a), MapContent::Aggregate(new, b)) if old == new => {
                MapContent::Aggregate(*old, *a || *b)
            }
            (old, new) => {
                let describe = |content: &MapContent| match content {
                    MapContent::Aggregate(aggregate, _) => format!("`{}()`", aggregate.name()),
                    MapContent::Scalar(ty) => self.types.describe(*ty),
                    MapContent::Unknown => "nothing".into(),
                };
                let message = if std::mem::discriminant(old) == std::mem::discriminant(new)
                    && describe(old) == describe(new)
                {
                    format!(
                        "`{}` is {} with different parameters elsewhere",
                        info.name,
                        describe(old)
                    )
                } else {
                    format!(
                        "`{}` is {} elsewhere, but {} here",
                        info.name,
                        describe(old),
                        describe(new)
                    )
                };
                return Err(Diagnostic::error(span, message).help("use another map"));
            }
        };
        if joined != info.value {
            info.value = joined;
            self.env.changed = true;
            self.env.last_change = Some(span);
        }
        Ok(())
    }
}
