//! The AMX instructions: sums of up to 32 pixels and 32 channels in four tiles.

#![expect(unsafe_code, reason = "matrix tiles have no stable intrinsics")]

use std::arch::asm;

/// The shapes of the eight tiles: four of sums, two of activations, two of weights.
#[repr(C, align(64))]
struct Config([u8; 64]);

impl Config {
    /// The configuration for groups of `group` pixels, and steps of `chunk` quads.
    fn new(group: usize, chunk: usize) -> Config {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        for tile in 0..8 {
            let (columns, rows) = match tile {
                4 | 5 => (chunk * 4, group),
                6 | 7 => (64, chunk),
                _ => (64, group),
            };
            bytes[16 + 2 * tile] = columns as u8;
            bytes[48 + tile] = rows as u8;
        }
        Config(bytes)
    }
}

/// A tile configuration for `group` pixels and steps of `chunk` quads, in effect until this is dropped.
pub(super) struct Tiles(());

impl Tiles {
    /// # Safety
    /// The CPU has AMX and the system permits it; nobody else in this thread uses tiles meanwhile.
    pub(super) unsafe fn new(group: usize, chunk: usize) -> Tiles {
        let config = Config::new(group, chunk);
        // SAFETY: as the function says; `config` is 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) config.0.as_ptr(), options(nostack, readonly)) };
        Tiles(())
    }

    /// Stores the four tiles of sums where [`Step::next`] would.
    ///
    /// # Safety
    /// `sums` takes 32 rows of 128 bytes.
    pub(super) unsafe fn store(&self, sums: *mut u8) {
        // SAFETY: as the function says; tiles are configured.
        unsafe {
            asm!(
                "tilestored [{out} + {s}*1], tmm0",
                "tilestored [{out} + {s}*1 + 64], tmm1",
                "tilestored [{out} + {s}*1 + 2048], tmm2",
                "tilestored [{out} + {s}*1 + 2112], tmm3",
                out = in(reg) sums,
                s = in(reg) 128_usize,
                options(nostack)
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the CPU has AMX, as `new` was promised.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// The sums of up to two times two tiles: a group of pixels from `a[0]` and one from `a[1]` on, sixteen
/// channels each.
pub(super) struct Step<'a> {
    pub(super) a: [*const u8; 2],
    /// Bytes between pixels.
    pub(super) a_step: usize,
    pub(super) b: *const u8,
    /// Bytes between quads.
    pub(super) b_step: usize,
    /// Offset of each step along the reduction in a pixel's activations and in the weights.
    pub(super) steps: &'a [[usize; 2]],
    pub(super) init: *const i32,
}

macro_rules! sums {
    ($s:expr, $to:expr, [$($init:literal),*], [$($load:literal),*], [$($mul:literal),*], [$($store:literal),*]) => {
        asm!(
            $($init,)*
            "2:",
            "mov {oa}, [{steps}]",
            "mov {ob}, [{steps} + 8]",
            "lea {pa}, [{a0} + {oa}]",
            "lea {oa}, [{a1} + {oa}]",
            "lea {pb}, [{b} + {ob}]",
            $($load,)*
            $($mul,)*
            "add {steps}, 16",
            "dec {n}",
            "jnz 2b",
            $($store,)*
            a0 = in(reg) $s.a[0],
            a1 = in(reg) $s.a[1],
            sa = in(reg) $s.a_step,
            b = in(reg) $s.b,
            sb = in(reg) $s.b_step,
            steps = inout(reg) $s.steps.as_ptr() => _,
            n = inout(reg) $s.steps.len() => _,
            // `init` is used at the beginning only, the destinations at the end only.
            pa = out(reg) _,
            pb = out(reg) _,
            oa = out(reg) _,
            ob = inout(reg) $s.init => _,
            out = in(reg) $to.as_ptr(),
            stride = inout(reg) 0_usize => _,
            options(nostack)
        )
    };
}

impl Step<'_> {
    /// Computes two times two tiles, which stay in the registers, and stores the previous ones, 128 bytes
    /// from row to row. Each tile is stored just before its register is reused: a product waits for the store
    /// of its own tile only.
    ///
    /// # Safety
    /// Tiles are configured; everything that the steps name can be read, `init` has 32 values, and `sums`
    /// takes 32 rows of 128 bytes.
    pub(super) unsafe fn next(&self, sums: *mut u8) {
        debug_assert!(!self.steps.is_empty());
        // SAFETY: as the function says; tile registers are used by this module only.
        unsafe {
            asm!(
                "mov {pb}, [{steps} + 8]",
                "mov {oa}, [{steps}]",
                "add {pb}, {b}",
                "lea {pa}, [{a0} + {oa}]",
                "add {oa}, {a1}",
                "tileloadd tmm4, [{pa} + {sa}*1]",
                "tileloadd tmm6, [{pb} + {sb}*1]",
                "tilestored [{out} + {s}*1], tmm0",
                "xor {s:e}, {s:e}",
                "tileloadd tmm0, [{init} + {s}*1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{pb} + {sb}*1 + 64]",
                "mov {s:e}, 128",
                "tilestored [{out} + {s}*1 + 64], tmm1",
                "xor {s:e}, {s:e}",
                "tileloadd tmm1, [{init} + {s}*1 + 64]",
                "tdpbusd tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{oa} + {sa}*1]",
                "mov {s:e}, 128",
                "tilestored [{out} + {s}*1 + 2048], tmm2",
                "xor {s:e}, {s:e}",
                "tileloadd tmm2, [{init} + {s}*1]",
                "tdpbusd tmm2, tmm5, tmm6",
                "mov {s:e}, 128",
                "tilestored [{out} + {s}*1 + 2112], tmm3",
                "xor {s:e}, {s:e}",
                "tileloadd tmm3, [{init} + {s}*1 + 64]",
                "tdpbusd tmm3, tmm5, tmm7",
                "dec {n}",
                "jz 3f",
                "2:",
                "add {steps}, 16",
                "mov {pb}, [{steps} + 8]",
                "mov {oa}, [{steps}]",
                "add {pb}, {b}",
                "lea {pa}, [{a0} + {oa}]",
                "add {oa}, {a1}",
                "tileloadd tmm4, [{pa} + {sa}*1]",
                "tileloadd tmm6, [{pb} + {sb}*1]",
                "tileloadd tmm7, [{pb} + {sb}*1 + 64]",
                "tileloadd tmm5, [{oa} + {sa}*1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tdpbusd tmm1, tmm4, tmm7",
                "tdpbusd tmm2, tmm5, tmm6",
                "tdpbusd tmm3, tmm5, tmm7",
                "dec {n}",
                "jnz 2b",
                "3:",
                a0 = in(reg) self.a[0],
                a1 = in(reg) self.a[1],
                sa = in(reg) self.a_step,
                b = in(reg) self.b,
                sb = in(reg) self.b_step,
                steps = inout(reg) self.steps.as_ptr() => _,
                n = inout(reg) self.steps.len() => _,
                init = in(reg) self.init,
                out = in(reg) sums,
                s = inout(reg) 128_usize => _,
                pa = out(reg) _,
                pb = out(reg) _,
                oa = out(reg) _,
                options(nostack)
            );
        }
    }

    /// Computes `M × N` tiles and stores them at `to[m][n]`, `stride` bytes from row to row.
    ///
    /// # Safety
    /// Tiles are configured; everything that the steps name can be read, `init` has 16·N values, and every
    /// target takes as many rows of 64 bytes as a group has.
    pub(super) unsafe fn compute(&self, m: usize, n: usize, to: [*mut u8; 4], stride: usize) {
        debug_assert!(!self.steps.is_empty());
        let to: [usize; 5] = [to[0] as usize, to[1] as usize, to[2] as usize, to[3] as usize, stride];
        // SAFETY: as the function says; tile registers are used by this module only.
        unsafe {
            match (m, n) {
                (2, 2) => sums!(
                    self,
                    to,
                    [
                        "tileloadd tmm0, [{ob} + {stride}*1]",
                        "tileloadd tmm1, [{ob} + {stride}*1 + 64]",
                        "tileloadd tmm2, [{ob} + {stride}*1]",
                        "tileloadd tmm3, [{ob} + {stride}*1 + 64]"
                    ],
                    [
                        "tileloadd tmm4, [{pa} + {sa}*1]",
                        "tileloadd tmm6, [{pb} + {sb}*1]",
                        "tileloadd tmm7, [{pb} + {sb}*1 + 64]",
                        "tileloadd tmm5, [{oa} + {sa}*1]"
                    ],
                    [
                        "tdpbusd tmm0, tmm4, tmm6",
                        "tdpbusd tmm1, tmm4, tmm7",
                        "tdpbusd tmm2, tmm5, tmm6",
                        "tdpbusd tmm3, tmm5, tmm7"
                    ],
                    [
                        "mov {stride}, [{out} + 32]",
                        "mov {oa}, [{out}]",
                        "tilestored [{oa} + {stride}*1], tmm0",
                        "mov {oa}, [{out} + 8]",
                        "tilestored [{oa} + {stride}*1], tmm1",
                        "mov {oa}, [{out} + 16]",
                        "tilestored [{oa} + {stride}*1], tmm2",
                        "mov {oa}, [{out} + 24]",
                        "tilestored [{oa} + {stride}*1], tmm3"
                    ]
                ),
                (2, _) => sums!(
                    self,
                    to,
                    ["tileloadd tmm0, [{ob} + {stride}*1]", "tileloadd tmm2, [{ob} + {stride}*1]"],
                    [
                        "tileloadd tmm4, [{pa} + {sa}*1]",
                        "tileloadd tmm6, [{pb} + {sb}*1]",
                        "tileloadd tmm5, [{oa} + {sa}*1]"
                    ],
                    ["tdpbusd tmm0, tmm4, tmm6", "tdpbusd tmm2, tmm5, tmm6"],
                    [
                        "mov {stride}, [{out} + 32]",
                        "mov {oa}, [{out}]",
                        "tilestored [{oa} + {stride}*1], tmm0",
                        "mov {oa}, [{out} + 16]",
                        "tilestored [{oa} + {stride}*1], tmm2"
                    ]
                ),
                (_, 2) => sums!(
                    self,
                    to,
                    ["tileloadd tmm0, [{ob} + {stride}*1]", "tileloadd tmm1, [{ob} + {stride}*1 + 64]"],
                    [
                        "tileloadd tmm4, [{pa} + {sa}*1]",
                        "tileloadd tmm6, [{pb} + {sb}*1]",
                        "tileloadd tmm7, [{pb} + {sb}*1 + 64]"
                    ],
                    ["tdpbusd tmm0, tmm4, tmm6", "tdpbusd tmm1, tmm4, tmm7"],
                    [
                        "mov {stride}, [{out} + 32]",
                        "mov {oa}, [{out}]",
                        "tilestored [{oa} + {stride}*1], tmm0",
                        "mov {oa}, [{out} + 8]",
                        "tilestored [{oa} + {stride}*1], tmm1"
                    ]
                ),
                _ => sums!(
                    self,
                    to,
                    ["tileloadd tmm0, [{ob} + {stride}*1]"],
                    ["tileloadd tmm4, [{pa} + {sa}*1]", "tileloadd tmm6, [{pb} + {sb}*1]"],
                    ["tdpbusd tmm0, tmm4, tmm6"],
                    [
                        "mov {stride}, [{out} + 32]",
                        "mov {oa}, [{out}]",
                        "tilestored [{oa} + {stride}*1], tmm0"
                    ]
                ),
            }
        }
    }
}
