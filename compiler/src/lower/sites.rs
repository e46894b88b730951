//! The site table: which programs look up what about the site that they run for, and how they do it.
//!
//! In a program of several sites, `probe` and `func` are columns of the map `pf_map_sites`. The site's row is the cookie
//! that it was attached with. Programs of one site have constants instead, and no row.

use super::Lower;
use crate::hir::Expr;
use crate::ir::{Arith, MapData, MapId, Module, SlotPlace};
use crate::manifest::{SiteColumn, SiteTable};
use crate::sema::{Checked, CheckedAction};
use pfscript_probes::abi::{helper, map};
use pfscript_probes::maps::BPF_MAP_TYPE_ARRAY;

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
        symbol: map::SITES.to_owned(),
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: table.row_bytes(),
        max_entries: table.rows,
        flags: 0,
    })
}

impl Lower<'_> {
    /// Stores a column of the site's row into `room` bytes, zero-padded.
    pub(super) fn site_text(
        &mut self,
        expr: &Expr,
        column: SiteColumn,
        place: SlotPlace,
        room: u32,
    ) {
        let Some((map, table)) = &self.maps.sites else {
            self.internal_error(expr.span, "a site is looked up and there is no table");
            return;
        };
        let map = *map;
        let (offset, width) = table.column(column);
        let bytes = width.min(self.size(expr.ty)).min(room);
        self.builder.zero(place, room);
        let context = self.context();
        let cookie = self
            .builder
            .helper(helper::GET_ATTACH_COOKIE, vec![context]);
        let key = self.builder.temporary(8, "site");
        self.builder.store_word(key, cookie);
        let map = self.builder.map_pointer(map);
        self.look_up(
            map,
            key,
            |this, row| {
                let column = match offset {
                    0 => row,
                    offset => {
                        let offset = this.builder.constant(offset.into());
                        this.builder.arith(Arith::Add, row, offset)
                    }
                };
                this.builder.load_bytes(column, place, bytes);
            },
            |_| {},
        );
    }
}
