//! The cache of constants: which lines it holds, not their bytes.

use crate::machine::Machine;

/// A direct-mapped cache (manual, *Time*: Constants), empty at first.
#[derive(Debug)]
pub(super) struct Cache {
    /// Bytes of a line, as a power of two.
    shift: u32,
    /// The line in each place; as many as a power of two, or none.
    places: Vec<Option<u64>>,
}

impl Cache {
    /// The empty cache of a machine.
    pub(super) fn new(machine: &Machine) -> Cache {
        let line = u64::from(machine.control.const_line_bytes.max(1));
        let places = u64::from(machine.control.const_cache_bytes) / line;
        Cache { shift: line.ilog2(), places: vec![None; places as usize] }
    }

    /// Looks up, and then holds, the lines of `bytes` bytes from `address` on, which lie in the constants;
    /// returns how many were not there.
    pub(super) fn load(&mut self, address: i64, bytes: usize) -> u64 {
        let first = address as u64 >> self.shift;
        let last = (address as u64 + bytes as u64 - 1) >> self.shift;
        (first..=last).map(|line| u64::from(self.misses(line))).sum()
    }

    fn misses(&mut self, line: u64) -> bool {
        let mask = (self.places.len() as u64).wrapping_sub(1);
        match self.places.get_mut((line & mask) as usize) {
            Some(place) => place.replace(line) != Some(line),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Misses of loads of so many bytes at these addresses, in a cache of 256 bytes or another size.
    fn misses(bytes: u32, loads: &[(i64, usize)]) -> Vec<u64> {
        let mut machine = Machine::named("rcn-m").unwrap();
        (machine.control.const_cache_bytes, machine.control.const_line_bytes) = (bytes, 64);
        let mut cache = Cache::new(&machine);
        loads.iter().map(|(address, bytes)| cache.load(*address, *bytes)).collect()
    }

    #[test]
    fn a_line_stays_until_another_takes_its_place() {
        assert_eq!(misses(256, &[(0, 64), (8, 8), (256, 8), (8, 8), (64, 8), (0, 8)]), [1, 0, 1, 1, 1, 0]);
    }

    #[test]
    fn a_load_across_two_lines_looks_up_both() {
        assert_eq!(misses(256, &[(32, 64), (64, 64), (128, 4), (120, 16)]), [2, 0, 1, 0]);
        // In a cache of one line the second takes the place of the first.
        assert_eq!(misses(64, &[(32, 64), (64, 8), (0, 8), (32, 64)]), [2, 0, 1, 1]);
    }

    #[test]
    fn without_a_cache_every_line_is_a_miss() {
        assert_eq!(misses(0, &[(0, 8), (0, 8), (32, 64)]), [1, 1, 2]);
    }
}
