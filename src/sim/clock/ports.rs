//! Ports of memory banks (manual, *Time*: Ports): every bank of SPM and ACC has one read and one write port.

use crate::isa::Space;
use crate::machine::Machine;
use crate::sim::access::Spans;

/// A set of ports: one bit for each bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// Read and write ports of the scratchpad.
    pub spm: [u64; 2],
    /// Read and write ports of the accumulator memory.
    pub acc: [u64; 2],
}

impl Ports {
    /// The ports that an operation with these spans needs: for every operand those of all banks from that of
    /// its lowest byte to that of its highest.
    #[must_use]
    pub fn of(spans: &Spans, m: &Machine) -> Ports {
        let mut ports = Ports::default();
        for span in spans.iter() {
            let (set, size) = match span.space {
                Space::Dram => continue,
                Space::Spm => (&mut ports.spm, m.spm.bytes / u64::from(m.spm.banks)),
                Space::Acc => (&mut ports.acc, m.acc.bytes / u64::from(m.acc.banks)),
            };
            let (first, last) = (span.lo as u64 / size, (span.hi - 1) as u64 / size);
            set[usize::from(span.writes)] |= (u64::MAX >> (63 - (last - first).min(63))) << first.min(63);
        }
        ports
    }

    /// Whether the sets have a port in common.
    #[must_use]
    pub fn meets(&self, other: &Ports) -> bool {
        let both = |a: [u64; 2], b: [u64; 2]| a[0] & b[0] | a[1] & b[1];
        both(self.spm, other.spm) | both(self.acc, other.acc) != 0
    }

    /// Adds the ports of `other`.
    pub fn insert(&mut self, other: &Ports) {
        for i in 0..2 {
            self.spm[i] |= other.spm[i];
            self.acc[i] |= other.acc[i];
        }
    }

    /// Removes the ports of `other`.
    pub fn remove(&mut self, other: &Ports) {
        for i in 0..2 {
            self.spm[i] &= !other.spm[i];
            self.acc[i] &= !other.acc[i];
        }
    }
}
