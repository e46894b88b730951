//! Accounts of processes' resident memory: by what they have grown, and who is charged for that.
//!
//! In come changes, in the order of time: pages that were touched, ranges that were filled, given back or moved, blocks that were
//! allocated and freed, processes that begin and end ([`Change`]). There is an account for each process ([`accounts`], [`account`]), which keeps who is charged for each page
//! ([`ledger`], [`payers`]). In the end it is laid beside what the process really has resident ([`scan`]), if need be as it exits
//! ([`exit`]); what is resident and charged to nobody is given to whoever brought it along ([`attribute`]), and all is summed
//! ([`sums`]). Out comes a [`crate::results::GrowthReport`], of processes or of those of a name together ([`report`]).
//!
//! Scripts, probes and stacks are nothing that is known here: who is charged are bytes, that the caller knows to read.

mod account;
mod accounts;
mod attribute;
mod exit;
mod ledger;
mod payers;
mod report;
mod scan;
mod sums;

pub use accounts::{Accounts, Followed};

use pfscript_compiler::manifest::ResidentChange;

/// What has changed of a process's memory.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// How.
    pub change: ResidentChange,
    /// The process that did it.
    pub process: u32,
    /// Where the range begins; the process that begins ([`ResidentChange::Fork`]).
    pub address: u64,
    /// The length of the range in bytes; how many pages one stands for ([`ResidentChange::Fault`]); not 0 if the process that begins has the same memory.
    pub length: u64,
    /// Where it moves to ([`ResidentChange::Move`]).
    pub to: u64,
    /// Who is charged ([`ResidentChange::Fault`], [`ResidentChange::Fill`], [`ResidentChange::Allocate`]); what the process was called ([`ResidentChange::Exit`]).
    pub by: Payer<'a>,
}

/// Who is charged: bytes, and what they are to the caller.
pub type Payer<'a> = (u32, &'a [u8]);
