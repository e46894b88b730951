//! Places in files of code that are linked together: one call and one descriptor for all of a probe in a file
//! (`uprobe.multi`, Linux 6.6). Each perf event of its own would take its time to be opened, and more to be closed.

use super::errors::{no_place, refused};
use crate::error::{Error, ErrorKind};
use crate::facts::LiveFacts;
use crate::facts::Presence;
use crate::sys::bpf_links::{self, Place};
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::{Attach, Manifest, ProbeManifest};
use pfscript_compiler::program::ProgramKind;
use pfscript_probes::Feature;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Where a probe is, in a file: the path, the offset, and whether on return.
type Spot<'a> = (&'a Path, u64, bool);

/// The probes whose places are linked together: those that have several and share none with another probe, since events and links at one
/// place would not run in the script's order. Where one process is followed, `is_narrow`, events are put into that alone.
pub fn at_once(manifest: &Manifest, is_narrow: bool) -> HashSet<ProbeId> {
    let mut probes: HashMap<Spot<'_>, HashSet<ProbeId>> = HashMap::new();
    for (probe, info) in manifest.probes.iter() {
        for spot in spots(info) {
            probes.entry(spot).or_default().insert(probe);
        }
    }
    let is_alone = |spot: Spot<'_>| probes.get(&spot).is_none_or(|probes| probes.len() == 1);
    let all = manifest.probes.iter();
    let chosen: HashSet<ProbeId> = all
        .filter(|(_, info)| {
            let is_uprobe = info.kind == ProgramKind::Uprobe;
            is_uprobe && info.sites.len() > 1 && spots(info).all(is_alone)
        })
        .map(|(probe, _)| probe)
        .collect();
    let has_links = || LiveFacts::new().presence(Feature::UprobeMulti) == Presence::Present;
    match !is_narrow && !chosen.is_empty() && has_links() {
        true => chosen,
        false => HashSet::new(),
    }
}

fn spots(info: &ProbeManifest) -> impl Iterator<Item = Spot<'_>> {
    info.sites.iter().filter_map(|site| match &site.attach {
        Attach::Uprobe {
            path,
            offset,
            on_return,
            ..
        } => Some((&**path, *offset, *on_return)),
        _ => None,
    })
}

/// Links those sites of a probe that are in one file. Each is told its cookie, if it has one.
///
/// # Errors
/// [`ErrorKind::Permission`] or [`ErrorKind::Attach`], naming the place that the kernel refuses.
pub fn link(
    info: &ProbeManifest,
    sites: &[(usize, Option<u64>)],
    program: BorrowedFd<'_>,
) -> Result<OwnedFd, Error> {
    let mut places = Vec::with_capacity(sites.len());
    let mut file = None;
    for (site, cookie) in sites {
        if let Some(Attach::Uprobe {
            path,
            offset,
            counter,
            on_return,
        }) = info.sites.get(*site).map(|site| &site.attach)
        {
            file = Some((path, *on_return));
            places.push(Place {
                offset: *offset,
                counter: *counter,
                cookie: cookie.unwrap_or(0),
            });
        }
    }
    let bug = |what: &str| Error::new(ErrorKind::Bug, what.to_owned());
    let (path, on_return) = file.ok_or_else(|| bug("a link without a file"))?;
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| bug("a file's name contains a zero byte"))?;
    let error = match bpf_links::link_places(program, &name, &places, on_return) {
        Ok(link) => return Ok(link),
        Err(error) => error,
    };
    // Which of them it was.
    for place in &places {
        if let Err(error) = bpf_links::link_places(program, &name, &[*place], on_return) {
            return Err(no_place(&error, path, place.offset, info));
        }
    }
    Err(refused(&error, info))
}
