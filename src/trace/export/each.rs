//! Iteration over the selected records.

use super::super::{Filter, Record, TraceError, TraceReader};

/// Calls `f` for every selected record until it fails.
pub(super) fn each(
    trace: &mut TraceReader,
    filter: &Filter,
    mut f: impl FnMut(&Record) -> std::io::Result<()>,
) -> Result<(), TraceError> {
    let mut result = Ok(());
    trace.read(filter, &mut |record| {
        result = f(record);
        result.is_ok()
    })?;
    Ok(result?)
}
