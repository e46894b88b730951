//! Divisions, and what else may go wrong at a place in the script when it runs, and is counted there. A division by zero gives 1, as
//! in bpftrace; an index behind the end of an array is as it is, and what it leads to is for the read to say.

use super::Lower;
use crate::hir::{Division, Expr};
use crate::ir::{Arith, Condition, Value};
use crate::manifest::FaultKind;
use cranelift_entity::EntityRef as _;
use pfscript_grammar::Span;
use pfscript_probes::abi::{LOSS_CAUSES, LOSS_ROUTINE, LossCause, NULL_COUNTS};

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
        let zero = self.builder.constant(0);
        self.count_fault(
            FaultKind::DivisionByZero,
            span,
            Condition::Eq,
            [right, zero],
        );
        result
    }

    /// The index of one of `count` elements.
    pub(super) fn index(&mut self, index: &Expr, count: u32, span: Span) -> Value {
        let index = self.value(index);
        let end = self.builder.constant(count.into());
        self.count_fault(FaultKind::OutOfBounds, span, Condition::UGe, [index, end]);
        index
    }

    /// Counts what went wrong if the condition holds.
    fn count_fault(&mut self, kind: FaultKind, span: Span, condition: Condition, args: [Value; 2]) {
        let counter = self.fault_counter(kind, span);
        self.builder.if_else(
            condition,
            args,
            |builder| {
                let counter = builder.constant(counter.into());
                builder.routine(LOSS_ROUTINE, vec![counter]);
            },
            |_| {},
        );
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

    /// The counter of a place, behind those of all probes.
    fn fault_counter(&mut self, kind: FaultKind, span: Span) -> u32 {
        let (index, _) = self.faults.insert_full((self.probe, kind, span));
        super::counters_of_probes(self.checked) + index as u32
    }

    /// The first of the counters of what is lost here, as routines take it.
    pub(super) fn loss(&mut self) -> Value {
        let index = self.loss_index();
        self.builder.constant(index.into())
    }

    /// Its index: one of the probe's, or of the place's.
    pub(super) fn loss_index(&mut self) -> u32 {
        self.first_loss(false)
    }

    /// The same as a routine takes it that reads memory, or a string in it, with its flags.
    pub(super) fn loss_of_read(&mut self, string: bool, flags: u64) -> Value {
        let index = self.first_loss(string);
        let null = match self.checked.failures_by_place {
            true => NULL_COUNTS,
            false => 0,
        };
        self.builder
            .constant(i64::from(index) | (flags | null) as i64)
    }

    fn first_loss(&mut self, string: bool) -> u32 {
        if !self.checked.failures_by_place {
            return self.probe.index() as u32 * LOSS_CAUSES;
        }
        let span = self.builder.span();
        // All or none of a place's are there, so that they stand one behind the other.
        let [first, ..] =
            LossCause::ALL.map(|cause| self.fault_counter(FaultKind::Lost { cause, string }, span));
        first
    }

    /// Counts an element that a map does not have, where that is asked for.
    pub(super) fn count_missing_element(&mut self) {
        if self.checked.failures_by_place {
            let counter = self.fault_counter(FaultKind::NoElement, self.builder.span());
            let counter = self.builder.constant(counter.into());
            self.builder.routine(LOSS_ROUTINE, vec![counter]);
        }
    }
}
