//! Tests of the back end: what it emits, as text, as bytes, and as it runs.

mod build;
mod evaluate;
mod kernel;
mod live;
mod machine;
mod property;
mod random;
