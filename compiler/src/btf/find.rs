//! Types by kind and name.
//!
//! Nothing is sorted by name in BTF, so a search looks at the names of all types, some 30,000 in a kernel. What was found is
//! remembered.

use super::{Btf, Header, Kind, TypeId, spelling};
use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

/// What was found, or is known not to be there.
pub(super) type Found = HashMap<(Kind, String), Option<TypeId>>;

impl Btf {
    /// The first type of that kind and name. [`Kind::Enum`] also finds enumerations of 64 bits, [`Kind::Int`] finds
    /// integers by any of C's spellings (`unsigned long` is `long unsigned int`); pointers, arrays and other kinds
    /// without names are never found.
    pub fn find(&self, kind: Kind, name: &str) -> Option<TypeId> {
        if name.is_empty() {
            return None;
        }
        let key = (kind, name.to_owned());
        if let Some(known) = self.found().get(&key) {
            return *known;
        }
        let id = self.search(kind, name);
        self.found().insert(key, id);
        id
    }

    /// Finds types of these kinds and names in one walk, which takes hardly longer than to find one of them. [`Btf::find`] has
    /// them at hand then.
    pub(crate) fn find_all(&self, wanted: &[(Kind, &str)]) {
        let mut unique: Vec<(Kind, &str)> = Vec::new();
        for &(kind, name) in wanted {
            // Integers have several names, functions have a list of their own, and a name is told by its first bytes.
            let one_walk = !matches!(kind, Kind::Int | Kind::Func) && name.len() + 1 >= FIRST_BYTES;
            if one_walk && !unique.contains(&(kind, name)) {
                unique.push((kind, name));
            }
        }
        let wanted = unique;
        let mut beginnings = [false; 256];
        for (_, name) in &wanted {
            beginnings[beginning(format!("{name}\0").as_bytes())] = true;
        }
        let mut first = vec![None; wanted.len()];
        for id in self.candidates(Kind::Struct) {
            let Some(header) = self.header(id) else {
                continue;
            };
            if !beginnings[beginning(self.name_and_more(header.name))] {
                continue;
            }
            for (first, (kind, name)) in first.iter_mut().zip(&wanted) {
                if first.is_none() && same(header.kind, *kind) && self.is_named(&header, name) {
                    *first = Some(id);
                }
            }
        }
        let keys = wanted.iter().map(|&(kind, name)| (kind, name.to_owned()));
        self.found().extend(keys.zip(first));
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        // No more than a type that was found already is lost by a panic.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self, kind: Kind, name: &str) -> Option<TypeId> {
        let mut headers = self
            .candidates(kind)
            .filter_map(|id| Some((id, self.header(id)?)))
            .filter(|(_, header)| same(header.kind, kind));
        let found = match kind {
            Kind::Int => {
                let wanted = spelling::plain_integer(name);
                headers
                    .find(|(_, header)| spelling::plain_integer(self.string(header.name)) == wanted)
            }
            _ => headers.find(|(_, header)| self.is_named(header, name)),
        };
        found.map(|(id, _)| id)
    }

    /// The types among which one of that kind with a name is.
    fn candidates(&self, kind: Kind) -> impl Iterator<Item = TypeId> + '_ {
        let index = self.index();
        let ids = match kind {
            Kind::Func => &index.functions,
            _ => &index.named,
        };
        let declared = ids.partition_point(|id| *id <= self.base);
        let in_order = ids[declared..].iter().chain(&ids[..declared]);
        in_order.copied().map(TypeId)
    }

    /// Whether there is a function of that name that BPF programs may call. Where no function is marked as such (before
    /// Linux 6.10), any function may be one.
    pub fn has_kfunc(&self, name: &str) -> bool {
        let Some(function) = self.find(Kind::Func, name) else {
            return false;
        };
        let headers = self.ids().filter_map(|id| self.header(id));
        let mut tags = headers
            .filter(|header| header.kind == Kind::DeclTag && self.is_named(header, "bpf_kfunc"))
            .map(|header| TypeId(header.size_or_type))
            .peekable();
        tags.peek().is_none() || tags.any(|tagged| tagged == function)
    }

    /// The names of all types of that kind, in the order of the file; a name may come twice.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.candidates(kind).filter_map(move |id| {
            let header = self.header(id)?;
            same(header.kind, kind).then(|| self.string(header.name))
        })
    }

    /// The names of all structures, for suggestions.
    pub fn struct_names(&self) -> impl Iterator<Item = &str> {
        self.names(Kind::Struct)
    }

    pub(super) fn is_named(&self, header: &Header, name: &str) -> bool {
        self.name_and_more(header.name)
            .strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// Bytes by which most names are told from those that are wanted, the zero behind a short one among them.
const FIRST_BYTES: usize = 3;

/// A number of the first bytes of a name.
fn beginning(name: &[u8]) -> usize {
    let first = name
        .first_chunk::<FIRST_BYTES>()
        .unwrap_or(&[0; FIRST_BYTES]);
    let word = u32::from_le_bytes([first[0], first[1], first[2], 0]);
    // Fibonacci hashing: the high bits of a product with the golden ratio.
    (word.wrapping_mul(0x9e37_79b1) >> 24) as usize
}

/// Whether a type of kind `have` answers a question for `want`.
fn same(have: Kind, want: Kind) -> bool {
    let plain = |kind| match kind {
        Kind::Enum64 => Kind::Enum,
        other => other,
    };
    plain(have) == plain(want)
}
