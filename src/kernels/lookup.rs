//! Table lookup of bytes on 512 bits: 64 at a time.

#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "vector kernels on raw pointers"))]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::cpu::Level;
use super::elementwise::Operand;
use super::view::ViewMut;

/// `to ← table[from]`, byte by byte, in one memory; false, and nothing is written, if something lies outside
/// or the level has no such kernel. Source and destination may be the same.
pub fn look_up(
    level: Level,
    memory: ViewMut<'_>,
    dims: [usize; 4],
    operands: [Operand; 2],
    table: &[u8; 256],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() && is_x86_feature_detected!("avx512vbmi") {
        return sixty_four_at_once(memory, dims, operands, table);
    }
    let _ = (level, memory, dims, operands, table);
    false
}

/// As [`look_up`], where AVX-512 VBMI was detected.
#[cfg(target_arch = "x86_64")]
fn sixty_four_at_once(
    mut memory: ViewMut<'_>,
    dims: [usize; 4],
    [to, from]: [Operand; 2],
    table: &[u8; 256],
) -> bool {
    let bytes = |o: &Operand| !o.one && o.etype.bytes() == 1 && o.inside(dims, memory.len());
    if dims.contains(&0) || ![to, from].iter().all(bytes) {
        return false;
    }
    for a in 0..dims[0] {
        for b in 0..dims[1] {
            let [to, from] = [to, from].map(|o| (o.row([a, b, 0]).at, o.strides[2]));
            // SAFETY: the caller has detected the features, and all rows lie inside the memory.
            unsafe { look_up_rows(memory.as_mut_ptr(), [to, from], [dims[2], dims[3]], table) };
        }
    }
    true
}

/// # Safety
/// The CPU has the features; `n` bytes of each row, given by the first one's place and the step, can be read
/// and written.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
unsafe fn look_up_rows(
    base: *mut u8,
    [to, from]: [(usize, usize); 2],
    [rows, n]: [usize; 2],
    table: &[u8; 256],
) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let quarter = |i: usize| _mm512_loadu_si512(table.as_ptr().add(i * 64).cast());
        let [t0, t1, t2, t3] = [quarter(0), quarter(1), quarter(2), quarter(3)];
        for row in 0..rows {
            let (to, from) = (base.add(to.0 + row * to.1), base.add(from.0 + row * from.1));
            for i in (0..n).step_by(64) {
                let mask = if n - i >= 64 { u64::MAX } else { (1 << (n - i)) - 1 };
                let x = _mm512_maskz_loadu_epi8(mask, from.add(i).cast());
                let low = _mm512_permutex2var_epi8(t0, x, t1);
                let high = _mm512_permutex2var_epi8(t2, x, t3);
                let y = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
                _mm512_mask_storeu_epi8(to.add(i).cast(), mask, y);
            }
        }
    }
}
