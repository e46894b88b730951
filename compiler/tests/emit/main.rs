//! Tests of the back end: what it emits, as text, as bytes, and as it runs.

mod build;
mod encoding;
mod evaluate;
mod functions;
mod golden;
mod live;
mod machine;
mod mixes;
mod object;
mod property;
mod random;
mod selection;
