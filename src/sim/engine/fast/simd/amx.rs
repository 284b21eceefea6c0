//! Matrix tiles (AMX): 32 pixels times 32 channels, activations and packed weights as they lie.
//!
//! Sixteen output pixels at a constant step are the rows of an activation tile, and up to 64 bytes of the reduction its
//! columns. The packed weights of sixteen channels are a weight tile already. Rows of an image follow each other at that
//! step too, so sixteen pixels may run on into the next row; what they compute between rows is thrown away.

#![expect(unsafe_code, reason = "matrix tiles have no stable intrinsics; kernels on raw pointers")]

use std::arch::asm;

use super::finish::Finish;
use super::round::Rounding;
use super::tile::{Lists, Tile};
use super::vnni;

/// Whether the CPU has matrix tiles of bytes and the system lets this process use them; asks the system.
pub(in crate::sim::engine::fast) fn permitted() -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        use std::sync::OnceLock;
        static PERMITTED: OnceLock<bool> = OnceLock::new();
        *PERMITTED.get_or_init(|| {
            let leaf7 = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0).edx } else { 0 };
            // AMX-TILE and AMX-INT8.
            if leaf7 >> 24 & 3 != 3 {
                return false;
            }
            let answer: i64;
            // SAFETY: the system call arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) reads and writes no memory of ours.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") 158_i64 => answer,
                    in("rdi") 0x1023,
                    in("rsi") 18,
                    lateout("rcx") _,
                    lateout("r11") _,
                    options(nostack)
                );
            }
            answer == 0
        })
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Input quads that one step takes: a divisor of all, up to 16.
fn chunk(quads: usize) -> usize {
    let mut parts = quads.div_ceil(16);
    while !quads.is_multiple_of(parts) {
        parts += 1;
    }
    quads / parts
}

/// Whether matrix tiles pay: loading and storing sums takes as long as 50 products, and more so where rows of activations
/// straddle cache lines.
pub(super) fn suits(t: &Tile) -> bool {
    let long = t.taps.len() * t.quads >= 28 || chunk(t.quads) >= 8 || t.step[1].is_multiple_of(64);
    t.extent[0] * t.extent[1] >= 3 && chunk(t.quads) >= 3 && long
}

/// How output pixels are numbered: `of` of them a row, the last ones of a row without meaning.
struct Walk {
    of: usize,
    total: usize,
}

impl Walk {
    fn of(t: &Tile) -> Walk {
        let [rows, columns] = t.extent;
        let by_row = rows * columns.next_multiple_of(16);
        if rows > 1 && t.step[0].is_multiple_of(t.step[1]) {
            let of = t.step[0] / t.step[1];
            let total = (rows - 1) * of + columns;
            if of >= columns && total.next_multiple_of(16) < by_row {
                // Sixteens run on into the next row.
                return Walk { of, total };
            }
        }
        Walk { of: columns.next_multiple_of(16), total: by_row }
    }
}

/// The shapes of the eight tiles: four of sums, two of activations, two of weights.
#[repr(C, align(64))]
struct Config([u8; 64]);

impl Config {
    fn new(chunk: usize) -> Config {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        for tile in 0..8 {
            let (columns, rows) = match tile {
                4 | 5 => (chunk * 4, 16),
                6 | 7 => (64, chunk),
                _ => (64, 16),
            };
            bytes[16 + 2 * tile] = columns as u8;
            bytes[48 + tile] = rows as u8;
        }
        Config(bytes)
    }
}

/// Sums of two times two tiles, or fewer: sixteen pixels from `a[0]` and from `a[1]` on, sixteen channels each.
struct Step<'a> {
    a: [*const u8; 2],
    /// Bytes between pixels.
    a_step: usize,
    b: *const u8,
    /// Bytes between quads.
    b_step: usize,
    steps: &'a [[usize; 2]],
    init: *const i32,
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
            // `init` serves the beginning only, the targets the end only.
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
    /// Computes `M × N` tiles and stores them at `to[m][n]`, `stride` bytes from row to row.
    ///
    /// # Safety
    /// Tiles are configured; everything that the steps name can be read, `init` has 16·N values, and every target takes 16
    /// rows of 64 bytes.
    unsafe fn compute(&self, m: usize, n: usize, to: [*mut u8; 4], stride: usize) {
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

/// Steps along the reduction: where they begin in a pixel's activations and in a block's weights.
fn steps(t: &Tile, chunk: usize, width: usize, to: &mut Vec<[usize; 2]>) {
    to.clear();
    let mut weights = 0;
    for tap in t.taps {
        for quad in (0..t.quads).step_by(chunk) {
            to.push([tap + quad * 4, weights]);
            weights += chunk * width * 4;
        }
    }
}

/// Computes a tile that [`Tile::fits`] and that [`suits`].
pub(super) fn run(t: &mut Tile, plain: bool, lists: &mut Lists) -> u64 {
    let walk = Walk::of(t);
    let chunk = chunk(t.quads);
    let reach = t.reach();
    let [_, columns] = t.extent;
    // Places of all numbers; no target for those without meaning.
    let mut targets = std::mem::take(&mut lists.pixels);
    targets.clear();
    let count = walk.total.next_multiple_of(16);
    let mut y = 0;
    while targets.len() < count {
        let from = t.first + y * t.step[0];
        let to = t.target + y * t.stride[0];
        let here = (count - targets.len()).min(walk.of);
        let pixels = if y < t.extent[0] { here.min(columns) } else { 0 };
        targets.extend((0..pixels).map(|x| (from + x * t.step[1], to + x * t.stride[1])));
        targets.extend((pixels..here).map(|x| (from + x * t.step[1], usize::MAX)));
        y += 1;
    }
    // Sixteens that would read beyond the end are left to the other kernel. Those that are pixels which follow each other in
    // the target are stored there at once.
    lists.blocks.clear();
    let sixteens = targets.len() / 16;
    let inside = |b: usize| targets[b * 16 + 15].0 + reach <= t.src.len();
    let dense = walk.of == columns && t.stride[0] == columns * t.stride[1];
    let at_once =
        |b: usize| targets[b * 16 + 15].1 != usize::MAX && (dense || b * 16 % walk.of + 15 < columns);
    lists.blocks.extend((0..sixteens).filter(|b| inside(*b)).map(|b| (b, at_once(b))));
    let rest: Vec<(usize, usize)> = (0..sixteens)
        .filter(|b| !inside(*b))
        .flat_map(|b| targets[b * 16..b * 16 + 16].iter().copied().filter(|p| p.1 != usize::MAX))
        .collect();
    let blocks = std::mem::take(&mut lists.blocks);
    let mut less = std::mem::take(&mut lists.less);
    less.clear();
    if t.zeros[1] == 0 {
        less.resize(targets.len(), 0);
    } else {
        let inside = |b: usize| targets[b * 16 + 15].0 + reach <= t.src.len();
        for (b, sixteen) in targets.chunks_exact(16).enumerate() {
            less.extend(sixteen.iter().map(|(source, _)| if inside(b) { vnni::less(t, *source) } else { 0 }));
        }
    }
    let mut wraps = 0;
    let config = Config::new(chunk);
    // SAFETY: the CPU has AMX and the system permits it: this level is made by detection only. `config` is 64 bytes.
    unsafe { asm!("ldtilecfg [{}]", in(reg) config.0.as_ptr(), options(nostack, readonly)) };
    let bytes = match t.finish {
        Finish::Sums => None,
        // SAFETY: a CPU with AMX has AVX-512.
        Finish::Bytes(s) => Some((unsafe { Rounding::new(s.bounds, s.signed) }, s)),
    };
    let mut at = 0;
    for first in (0..t.oc).step_by(64) {
        let width = (t.oc - first).min(64).next_multiple_of(16);
        steps(t, chunk, width, &mut lists.steps);
        for pair in (0..width).step_by(32) {
            let n = ((width - pair) / 16).min(2);
            for two in blocks.chunks(2) {
                let m = two.len();
                let place = |i: usize| targets[two[i.min(m - 1)].0 * 16].0;
                let step = Step {
                    a: [place(0), place(1)].map(|o| t.src[o..].as_ptr()),
                    a_step: t.step[1],
                    b: t.weights[at + pair * 4..].as_ptr(),
                    b_step: width * 4,
                    steps: &lists.steps,
                    init: lists.init[first + pair..first + pair + n * 16].as_ptr(),
                };
                let channel = first + pair;
                let direct = plain
                    && bytes.is_none()
                    && t.zeros[1] == 0
                    && channel + n * 16 <= t.oc
                    && two.iter().all(|b| b.1);
                if direct {
                    let row = |i: usize| targets[two[i.min(m - 1)].0 * 16].1 + channel * 4;
                    let to = [row(0), row(0) + 64, row(1), row(1) + 64];
                    let base = t.dst.as_mut_ptr();
                    // SAFETY: every sixteen reads inside `src` (`inside`), the weights of a block are inside `weights` and every
                    // pixel takes its channels inside `dst` (`Tile::fits`), and all sixteen of these are pixels at this stride.
                    unsafe {
                        step.compute(m, n, to.map(|o| base.wrapping_add(o)), t.stride[1]);
                    }
                } else {
                    let sums: *mut u8 = lists.sums.0.as_mut_ptr().cast();
                    // SAFETY: as above; `sums` takes four tiles.
                    unsafe {
                        let to = [0, 64, 2048, 2112].map(|o| sums.wrapping_add(o));
                        step.compute(m, n, to, 128);
                    }
                    if let Some((rounding, scale)) = &bytes {
                        let by = scale.from(channel);
                        let mask = (1 << (n * 16).min(t.oc - channel)) - 1;
                        for (i, (b, _)) in two.iter().enumerate() {
                            let base = t.dst.as_mut_ptr();
                            let places = &targets[b * 16..b * 16 + 16];
                            let to: [*mut u8; 16] = std::array::from_fn(|row| match places[row].1 {
                                usize::MAX => std::ptr::null_mut(),
                                target => base.wrapping_add(target + channel),
                            });
                            let less: &[i32; 16] = &std::array::from_fn(|row| less[b * 16 + row]);
                            let sums = (lists.sums.0[i * 512..].as_ptr(), 32);
                            // SAFETY: a CPU with AMX has AVX-512; `sums` holds sixteen rows, operands of this block are there, and
                            // every pixel takes its channels inside `dst` (`Tile::fits`).
                            let wrapped = unsafe {
                                match (n, t.zeros[1]) {
                                    (1, 0) => rounding.rows::<1, false>(sums, less, by, &to, 16, mask),
                                    (_, 0) => rounding.rows::<2, false>(sums, less, by, &to, 16, mask),
                                    (1, _) => rounding.rows::<1, true>(sums, less, by, &to, 16, mask),
                                    _ => rounding.rows::<2, true>(sums, less, by, &to, 16, mask),
                                }
                            };
                            wraps += u64::from(wrapped != 0);
                        }
                        continue;
                    }
                    for (i, (b, _)) in two.iter().enumerate() {
                        for (row, (_, target)) in targets[b * 16..b * 16 + 16].iter().enumerate() {
                            if *target == usize::MAX {
                                continue;
                            }
                            let n = (n * 16).min(t.oc - channel);
                            let sums = &lists.sums.0[i * 512 + row * 32..][..n];
                            let less = less[b * 16 + row];
                            if plain {
                                let to = t.dst[target + channel * 4..][..n * 4].as_chunks_mut::<4>().0;
                                to.iter_mut()
                                    .zip(sums)
                                    .for_each(|(t, s)| *t = s.wrapping_sub(less).to_le_bytes());
                            } else {
                                wraps += t.finish(less, *target, channel, sums);
                            }
                        }
                    }
                }
            }
        }
        at += t.block_bytes(width);
    }
    // SAFETY: gives the tiles back.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
    if !rest.is_empty() {
        let oc = t.oc;
        wraps += vnni::some(t, plain, lists, &rest, 0..oc);
    }
    lists.pixels = targets;
    lists.less = less;
    lists.blocks = blocks;
    wraps
}
