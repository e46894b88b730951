//! A session in small: the maps that routines know, a program, and its losses.

pub mod link;

use std::collections::BTreeMap;

use pfscript_probes::abi::STACK_PIECE_FRAMES;
use pfscript_probes::{LOSS_CAUSES, LossCause, MapTemplate};

use pfscript_testkit::{Map, MapSpec, Program, is_root, program::RAW_TRACEPOINT};

use link::Code;

/// The session's ring buffer, in bytes.
pub const RING: u32 = 65536;
/// Room for stacks in the session's table.
pub const STACKS: u32 = 3;
/// Where programs choose one of two such tables, these.
pub const TABLES: [&str; 2] = ["first table", "second table"];
/// Frames of the session's stacks.
pub const DEPTH: u32 = STACK_PIECE_FRAMES;
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
        if !is_root() {
            println!("skip: needs root");
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
            maps.insert(template.symbol().unwrap(), map(template, 0, entries));
        }
        // Two tables of stacks, by names of their own, and the map of both.
        for name in TABLES {
            let table = MapTemplate::Stacks { depth: DEPTH };
            maps.insert(name, map(table, 0, STACKS));
        }
        let both = spec(MapTemplate::Pair, 0, 2);
        let both = Map::of_maps(both, &TABLES.map(|name| &maps[name]));
        maps.insert("pf_map_stack_tables", both.expect("a map of maps"));
        let result = MapTemplate::Scalar { size: 8 };
        maps.insert("result", map(result, 8, 64));
        Some(Session {
            maps,
            parameters: BTreeMap::from([("pf_param_loss", LOSS)]),
        })
    }

    /// With a map `map`, whose keys are 8 bytes.
    pub fn with(template: MapTemplate, entries: u32) -> Option<Session> {
        let mut session = Session::new()?;
        session.maps.insert("map", map(template, 8, entries));
        Some(session)
    }

    /// Loads a program of any type; panics with the verifier's log.
    pub fn load(&self, program_type: u32, entry: &'static str, body: &Code) -> Program {
        link::load(program_type, entry, body, &self.maps, &self.parameters)
            .unwrap_or_else(|log| panic!("{entry}: {log}"))
    }

    /// Loads a program that can be run; with scratch memory, since that includes what is without.
    pub fn program(&self, body: &Code) -> Runnable<'_> {
        self.entered("pf_enter_framed", body)
    }

    /// The same, entered by another entry.
    pub fn entered(&self, entry: &'static str, body: &Code) -> Runnable<'_> {
        Runnable {
            session: self,
            program: self.load(RAW_TRACEPOINT, entry, body),
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

/// A live map; `key_size` and `entries` count where the template leaves them open.
fn map(template: MapTemplate, key_size: u32, entries: u32) -> Map {
    let spec = spec(template, key_size, entries);
    Map::new(spec).unwrap_or_else(|error| panic!("{template:?}: {error}"))
}

fn spec(template: MapTemplate, key_size: u32, entries: u32) -> MapSpec {
    MapSpec {
        map_type: template.bpf_map_type(),
        key_size: template.key_size().unwrap_or(key_size),
        value_size: template.value_size(),
        max_entries: template.max_entries().unwrap_or(entries),
        flags: 0,
    }
}

/// A program that can be run.
pub struct Runnable<'a> {
    session: &'a Session,
    program: Program,
}

impl Runnable<'_> {
    /// Runs it with these arguments; what it stored as its results 0 and up.
    pub fn run(&self, arguments: &[u64]) -> Vec<u64> {
        let mut context = [0; 12];
        context[..arguments.len()].copy_from_slice(arguments);
        self.program.run(&context).expect("the program can be run");
        (0u64..)
            .map_while(|index| self.session.maps["result"].sum(&index.to_ne_bytes()))
            .map(|value| value[0])
            .collect()
    }
}
