//! The cache of constants. Written from the manual's text.

use std::collections::BTreeMap;

use rcar_iss::internals::machine::Machine;

/// The line that each place holds.
#[derive(Debug, Default)]
pub(super) struct Cache(BTreeMap<u64, u64>);

impl Cache {
    /// Cycles of a load of `bytes` bytes at `address`.
    pub(super) fn load(&mut self, address: u64, bytes: u64, machine: &Machine) -> u64 {
        let control = &machine.control;
        let (size, line) = (u64::from(control.const_cache_bytes), u64::from(control.const_line_bytes));
        let mut cycles = control.const_load_cycles.into();
        let mut start = address - address % line;
        while start < address + bytes {
            let hit = size > 0 && self.0.insert(start % size, start) == Some(start);
            if !hit {
                cycles += u64::from(control.const_miss_cycles);
            }
            start += line;
        }
        cycles
    }
}
