//! Buffers: bytes from memory or from a slot, and how many they are.
//!
//! In come a place and a length, out go instructions that fill a slot: the length as a word, the bytes, zeros up to the end.

use super::Lower;
use crate::hir::{Base, Expr, Place};
use crate::ir::{Condition, SlotPlace, Value};
use pfscript_probes::LossCause;
use pfscript_probes::abi::helper;

/// What stands before the bytes.
const LENGTH_BYTES: u32 = 8;

impl Lower<'_> {
    /// Stores the bytes at `from` into a buffer with room for `room` of them.
    pub(super) fn store_buffer(
        &mut self,
        from: &Place,
        length: Option<&Expr>,
        most: u32,
        to: SlotPlace,
        room: u32,
    ) {
        let most = most.min(room);
        let length = match length {
            Some(length) => {
                let length = self.value(length);
                self.at_most(length, most, true)
            }
            None => self.builder.constant(most.into()),
        };
        let bytes = to.at(LENGTH_BYTES);
        if let Base::Memory(address) = &from.base {
            let address = self.address_at(address, from.offset);
            self.begin_buffer(to, length, room);
            if most == 0 {
                return;
            }
            let bytes = self.builder.address(bytes);
            let loss = self.loss_of_read(false, 0);
            self.builder
                .routine("pf_read", vec![bytes, length, address, loss]);
            return;
        }
        let slot = self.in_slot(from);
        self.begin_buffer(to, length, room);
        // A buffer without bytes has no place for any, and ends with its length.
        if most == 0 {
            return;
        }
        // Behind what there is are zeros.
        let have = self.checked.types.c_size(from.ty).unwrap_or(0);
        let size = match have < most {
            true => self.at_most(length, have, false),
            false => length,
        };
        let args = vec![
            self.builder.address(bytes),
            size,
            self.builder.address(slot),
        ];
        self.builder.helper(helper::PROBE_READ_KERNEL, args);
    }

    fn begin_buffer(&mut self, to: SlotPlace, length: Value, room: u32) {
        self.builder.zero(to.at(LENGTH_BYTES), room);
        self.builder.store_word(to, length);
    }

    /// A length, or `most` if it is more, which may be counted as a loss.
    fn at_most(&mut self, length: Value, most: u32, counted: bool) -> Value {
        let result = self.builder.temporary(8, "length");
        let loss = self.loss_index() + LossCause::StringTruncated as u32;
        let limit = self.builder.constant(most.into());
        self.builder.if_else(
            Condition::ULe,
            [length, limit],
            |builder| builder.store_word(result, length),
            |builder| {
                let limit = builder.constant(most.into());
                builder.store_word(result, limit);
                if counted {
                    let index = builder.constant(loss.into());
                    builder.routine("pf_loss", vec![index]);
                }
            },
        );
        self.builder.load_word(result)
    }
}
