//! The site table: which programs look up what about the site that they run for, and how they do it.
//!
//! In a program of several sites, `probe` and `func` are columns of the map `pf_map_sites`. The site's row is the cookie
//! that it was attached with. Programs of one site have constants instead, and no row.

use super::{Lower, Place};
use crate::hir::Expr;
use crate::ir::{InstData, MapData, MapId, Module};
use crate::language::builtins::helper;
use crate::manifest::{SiteColumn, SiteTable};
use crate::sema::{Checked, CheckedAction};
use pfscript_probes::maps::BPF_MAP_TYPE_ARRAY;

/// The symbol of the map.
const SYMBOL: &str = "pf_map_sites";

/// The table of all programs that look up their site; `None` if none does.
pub(super) fn table(checked: &Checked) -> Option<SiteTable> {
    let mut table = SiteTable::default();
    for action in &checked.actions {
        if action.columns.is_empty() {
            continue;
        }
        table.rows += action.sites.len() as u32;
        for (column, width) in SiteColumn::ALL.into_iter().zip(&mut table.widths) {
            if action.columns.contains(&column) {
                let texts = action.sites.iter().filter_map(|site| site.text(column));
                let longest = texts.map(str::len).max().unwrap_or(0);
                *width = (*width).max(crate::types::round_up(longest as u32 + 1));
            }
        }
    }
    (table.rows > 0).then_some(table)
}

/// The first of an action's rows, where it has any; `next` is the first free one, before and after.
pub(super) fn rows(action: &CheckedAction, next: &mut u32) -> Option<u32> {
    if action.columns.is_empty() {
        return None;
    }
    let first = *next;
    *next += action.sites.len() as u32;
    Some(first)
}

/// Defines the map.
pub(super) fn define(table: &SiteTable, module: &mut Module) -> MapId {
    module.maps.push(MapData {
        symbol: SYMBOL.to_owned(),
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: table.row_bytes(),
        max_entries: table.rows,
        flags: 0,
    })
}

impl Lower<'_> {
    /// Stores a column of the site's row into `room` bytes, zero-padded.
    pub(super) fn site_text(&mut self, expr: &Expr, column: SiteColumn, place: Place, room: u32) {
        self.zero(place, room);
        let Some((map, table)) = &self.maps.sites else {
            return;
        };
        let map = *map;
        let (offset, width) = table.column(column);
        let context = self.push(InstData::Context);
        let cookie = self.helper(helper::GET_ATTACH_COOKIE, vec![context]);
        let key = self.temporary(8, "site");
        self.store_word(key, cookie);
        let (row, some, none) = self.look_up(map, key);
        self.block = some;
        let bytes = width.min(expr.ty.size()).min(room);
        self.load_bytes(row, offset, place, bytes);
        self.block = none;
        self.join(&[some]);
    }
}
