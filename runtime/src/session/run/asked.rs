//! What a session runs that does not trace: which of a script's probes that are, and whether there are any.

use crate::error::{Error, ErrorKind};
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::{Attach, Manifest, Mode};

/// What a mode's probes are called, in messages and in scripts.
fn words(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Bench => ("benchmark", "bench"),
        Mode::Test => ("test", "test"),
    }
}

/// A mode's probes of a script, in order: their programs and names.
pub(super) fn all(manifest: &Manifest, wanted: Mode) -> Vec<(ProbeId, String)> {
    let probes = manifest.probes.iter();
    let points = probes.flat_map(|(probe, info)| info.points().map(move |point| (probe, point)));
    points
        .filter_map(|(probe, point)| match point {
            Attach::Asked { mode, name } if *mode == wanted => Some((probe, name.clone())),
            _ => None,
        })
        .collect()
}

/// Whether a session has something to run: what its mode is for, or else probes that trace.
///
/// # Errors
/// What the script lacks.
pub(super) fn are_there(manifest: &Manifest, wanted: Option<Mode>) -> Result<(), Error> {
    let mut points = manifest.probes.values().flat_map(|probe| probe.points());
    let mode_of = |point: &Attach| match point {
        Attach::Asked { mode, .. } => Some(*mode),
        _ => None,
    };
    if let Some(mode) = wanted {
        let (what, name) = words(mode);
        return match points.any(|point| mode_of(point) == wanted) {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Target,
                format!("the script has no {what}s to run"),
            )
            .with_help(format!("a {what} looks like `{name}:NAME {{ … }}`"))),
        };
    }
    let modes: Option<Vec<Mode>> = points.map(mode_of).collect();
    match modes.as_deref() {
        Some([mode, ..]) => {
            let (what, name) = words(*mode);
            let message = format!("the script has {what}s alone");
            Err(Error::new(ErrorKind::Target, message)
                .with_help(format!("run them with `--mode {name}`")))
        }
        Some([]) | None => Ok(()),
    }
}
