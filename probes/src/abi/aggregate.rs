//! What aggregations keep for a key.

use super::layout::{Extent, Struct, Type, field};

/// The value of `avg` and `stats`.
pub const AVERAGE: Struct = Struct {
    name: "average",
    doc: "The value of avg and stats.",
    fields: &[
        field("count", Type::U64, "how many values"),
        field("total", Type::U64, "their sum, modulo 2^64"),
    ],
};
/// How many values an average is of.
pub const AVERAGE_COUNT: Extent = AVERAGE.extent("count");
/// The sum of the values that an average is of.
pub const AVERAGE_TOTAL: Extent = AVERAGE.extent("total");

/// The value of `min` and `max`.
pub const EXTREME: Struct = Struct {
    name: "extreme",
    doc: "The value of min and max.",
    fields: &[
        field(
            "rank",
            Type::U64,
            "of the least or the greatest value: the greater rank counts",
        ),
        field("set", Type::U64, "0 if there was no value yet"),
    ],
};
/// The rank of the least or greatest value: the value itself, its sign bit flipped if it is signed, all bits flipped if
/// the least is kept. So the greater rank counts always, and 0 is below all others.
pub const EXTREME_RANK: Extent = EXTREME.extent("rank");
/// Whether there was a value: not 0.
pub const EXTREME_SET: Extent = EXTREME.extent("set");

/// One interval of a time series.
pub const INTERVAL: Struct = Struct {
    name: "interval",
    doc: "One interval of a time series.",
    fields: &[
        field(
            "number",
            Type::U64,
            "the intervals from 1970 to the end of this one; 0 if none began here yet",
        ),
        field(
            "value",
            Type::U64,
            "the last value, the total, or the rank as in struct pf_extreme",
        ),
        field(
            "weight",
            Type::U64,
            "how many values, or one more than when the last one came; 0 if none came yet",
        ),
    ],
};
/// The intervals from 1970 to the end of this one: the clock divided by the length of an interval, and one more.
pub const INTERVAL_NUMBER: Extent = INTERVAL.extent("number");
/// What the interval came to: the last value, the total, or a rank ([`EXTREME_RANK`]).
pub const INTERVAL_VALUE: Extent = INTERVAL.extent("value");
/// How many values it is of; of a last value, one more than when it came. 0: none came yet.
pub const INTERVAL_WEIGHT: Extent = INTERVAL.extent("weight");

/// The value of `tseries`: intervals of [`INTERVAL`], which are used in turn.
pub const SERIES: Struct = Struct {
    name: "series",
    doc: "The value of tseries; the intervals (struct pf_interval) follow, and are used in turn.",
    fields: &[
        field(
            "claims",
            Type::U64,
            "how many programs want to begin an interval: the one that makes it 1 does so",
        ),
        field("intervals", Type::Bytes, "the intervals"),
    ],
};
/// Bytes before the intervals of a time series.
pub const SERIES_HEADER: u32 = SERIES.size();

/// What a program puts into a time series.
pub const SAMPLE: Struct = Struct {
    name: "sample",
    doc: "What a program puts into a time series.",
    fields: &[
        field("value", Type::U64, "the value"),
        field("time", Type::U64, "the clock, in nanoseconds since 1970"),
        field(
            "number",
            Type::U64,
            "of the interval, as in struct pf_interval",
        ),
        field("mode", Type::U64, "PF_MINMAX_MAX, PF_MINMAX_SIGNED"),
    ],
};
/// A sample's value.
pub const SAMPLE_VALUE: Extent = SAMPLE.extent("value");
/// When it came.
pub const SAMPLE_TIME: Extent = SAMPLE.extent("time");
/// The number of its interval: [`INTERVAL_NUMBER`].
pub const SAMPLE_NUMBER: Extent = SAMPLE.extent("number");
/// How extremes are compared.
pub const SAMPLE_MODE: Extent = SAMPLE.extent("mode");
