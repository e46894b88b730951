//! Divisions. By zero they give 1, as in bpftrace, which is counted for each place in the script.

use super::Lower;
use crate::hir::{Division, Expr};
use crate::ir::{Arith, Condition, Value};
use pfscript_grammar::Span;
use pfscript_probes::abi::LOSS_ROUTINE;

impl Lower<'_> {
    /// `left / right` or `left % right`.
    pub(super) fn divide(
        &mut self,
        division: Division,
        left: Value,
        right: &Expr,
        span: Span,
    ) -> Value {
        let may_be_zero = right.constant().is_none_or(|constant| constant == 0);
        let right = self.value(right);
        if !may_be_zero {
            return self.quotient(division, left, right);
        }
        // The result is made without a branch: where one way gives a constant and the other none, the verifier may follow both
        // to the end, and twice as many for each division.
        let builder = &mut self.builder;
        let zero = builder.constant(0);
        let negated = builder.arith(Arith::Sub, zero, right);
        let either = builder.arith(Arith::Or, right, negated);
        let ones = builder.constant(-1);
        let neither = builder.arith(Arith::Xor, either, ones);
        let top = builder.constant(63);
        // 1 where the divisor is zero: else it or its negative has the top bit.
        let is_zero = builder.arith(Arith::LShr, neither, top);
        let divisor = builder.arith(Arith::Or, right, is_zero);
        let result = self.quotient(division, left, divisor);
        let builder = &mut self.builder;
        // By 1, nothing is left. Of the quotient, only the 1 is wanted.
        let kept = builder.constant(-1);
        let kept = builder.arith(Arith::Add, is_zero, kept);
        let result = builder.arith(Arith::And, result, kept);
        let result = builder.arith(Arith::Or, result, is_zero);
        let counter = self.division_counter(span);
        let zero = self.builder.constant(0);
        self.builder.if_else(
            Condition::Eq,
            [right, zero],
            |builder| {
                let counter = builder.constant(counter.into());
                builder.routine(LOSS_ROUTINE, vec![counter]);
            },
            |_| {},
        );
        result
    }

    fn quotient(&mut self, division: Division, left: Value, right: Value) -> Value {
        let builder = &mut self.builder;
        match (division.signed, division.rest) {
            (false, false) => builder.arith(Arith::UDiv, left, right),
            (false, true) => builder.arith(Arith::UMod, left, right),
            (true, false) => builder.routine("pf_sdiv", vec![left, right]),
            (true, true) => builder.routine("pf_smod", vec![left, right]),
        }
    }

    /// The counter of a place that divides by zero, behind those of all probes.
    fn division_counter(&mut self, span: Span) -> u32 {
        let (index, _) = self.divisions.insert_full((self.probe, span));
        super::counters_of_probes(self.checked) + index as u32
    }
}
