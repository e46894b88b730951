//! A session in small: the maps that routines know, a program, and its losses.

pub mod kernel;
pub mod link;

use std::{collections::BTreeMap, os::fd::OwnedFd};

use pfscript_probes::{LOSS_CAUSES, LossCause, MapTemplate};

use kernel::Map;
use link::Code;

/// The session's ring buffer, in bytes.
pub const RING: u32 = 65536;
/// Room for stacks in the session's table.
pub const STACKS: u32 = 3;
/// Frames of the session's stacks.
pub const DEPTH: u32 = 127;
/// Bytes of a frame of scratch memory.
pub const FRAME: u32 = 2048;
/// The probe that the tests are, so that mistaken indexes show.
pub const PROBE: u32 = 1;
/// That probe's first counter.
pub const LOSS: u64 = (PROBE * LOSS_CAUSES) as u64;

/// Maps and parameters of a program to come.
pub struct Session {
    pub maps: BTreeMap<&'static str, Map>,
    pub parameters: BTreeMap<&'static str, u64>,
}

impl Session {
    /// None, having said so, where programs may not be loaded.
    pub fn new() -> Option<Session> {
        if !kernel::privileged() {
            println!("skip: loading programs takes root");
            return None;
        }
        let zeros = MapTemplate::Zeros {
            size: MapTemplate::Hist { bits: 5 }.value_size(),
        };
        let mut maps = BTreeMap::new();
        for (template, entries) in [
            (MapTemplate::Loss, (PROBE + 1) * LOSS_CAUSES),
            (zeros, 1),
            (MapTemplate::Events, RING),
            (MapTemplate::Stacks { depth: DEPTH }, STACKS),
            (MapTemplate::Known, 0),
            (MapTemplate::Captures { depth: DEPTH }, 0),
            (MapTemplate::Scratch { frame: FRAME }, 0),
        ] {
            maps.insert(template.symbol().unwrap(), Map::new(template, 0, entries));
        }
        let result = MapTemplate::Scalar { size: 8 };
        maps.insert("result", Map::new(result, 8, 64));
        Some(Session {
            maps,
            parameters: BTreeMap::from([("pf_param_loss", LOSS)]),
        })
    }

    /// With a map `map`, whose keys are 8 bytes.
    pub fn with(template: MapTemplate, entries: u32) -> Option<Session> {
        let mut session = Session::new()?;
        session.maps.insert("map", Map::new(template, 8, entries));
        Some(session)
    }

    /// Loads a program of any type; panics with the verifier's log.
    pub fn load(&self, program_type: u32, entry: &'static str, body: &Code) -> OwnedFd {
        link::load(program_type, entry, body, &self.maps, &self.parameters)
            .unwrap_or_else(|log| panic!("{entry}: {log}"))
    }

    /// Loads a program that can be run; with scratch memory, since that includes what is without.
    pub fn program(&self, body: &Code) -> Program<'_> {
        Program {
            session: self,
            fd: self.load(
                kernel::BPF_PROG_TYPE_RAW_TRACEPOINT,
                "pf_enter_framed",
                body,
            ),
        }
    }

    /// The value of a key of the map `map`, of all CPUs together.
    pub fn value(&self, key: u64) -> Option<Vec<u64>> {
        self.maps["map"].sum(&key.to_ne_bytes())
    }

    /// A counter of losses.
    pub fn lost(&self, cause: LossCause) -> u64 {
        let index = LOSS as u32 + cause as u32;
        self.maps["pf_map_loss"].sum(&index.to_ne_bytes()).unwrap()[0]
    }

    /// Asserts that these were the losses, and no others, of this probe and of the other.
    pub fn assert_lost(&self, expected: &[(LossCause, u64)]) {
        for cause in LossCause::ALL {
            let count = expected.iter().find(|(c, _)| *c == cause);
            assert_eq!(self.lost(cause), count.map_or(0, |(_, n)| *n), "{cause:?}");
            let other = self.maps["pf_map_loss"].sum(&(cause as u32).to_ne_bytes());
            assert_eq!(other.unwrap()[0], 0, "{cause:?} of another probe");
        }
    }
}

/// A loaded program.
pub struct Program<'a> {
    session: &'a Session,
    fd: OwnedFd,
}

impl Program<'_> {
    /// Runs it with these arguments; what it stored as its results 0 and up.
    pub fn run(&self, arguments: &[u64]) -> Vec<u64> {
        let mut context = [0; 12];
        context[..arguments.len()].copy_from_slice(arguments);
        kernel::test_run(&self.fd, &context);
        (0u64..)
            .map_while(|index| self.session.maps["result"].sum(&index.to_ne_bytes()))
            .map(|value| value[0])
            .collect()
    }
}
