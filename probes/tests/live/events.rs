//! Records for user space.

use pfscript_probes::LossCause;

use crate::{
    session,
    support::{LOSS, RING, link::Code},
    words,
};

#[test]
fn emit_delivers_in_order_and_counts_what_finds_no_room() {
    let session = session!();
    let body = Code::body()
        .argument(1, 0)
        .spill(-24, 1)
        .argument(1, 1)
        .spill(-16, 1)
        .spill(-8, 1)
        .stack(1, -24)
        .set(2, 24)
        .set(3, LOSS)
        .call("pf_emit")
        .exit();
    let program = session.program(&body);
    let emitted = 3000u64;
    for number in 0..emitted {
        program.run(&[number, !number]);
    }
    let records = session.maps["pf_map_events"].records();
    for (number, record) in (0u64..).zip(&records) {
        assert_eq!(words(record), [number, !number, !number]);
    }
    let delivered = records.len() as u64;
    assert!(delivered >= u64::from(RING) / 32 - 1 && delivered < emitted);
    session.assert_lost(&[(LossCause::EventsFull, emitted - delivered)]);
}
