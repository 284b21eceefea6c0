//! Kernels called directly on slices: every level of this CPU against plain sums. `kernels.rs` compares them
//! with the reference engine where the fast engine calls them.

use proptest::prelude::*;
use rcar_iss::internals::kernels::aligned::Aligned;
use rcar_iss::internals::kernels::cpu::Level;
use rcar_iss::internals::kernels::dense::{self, Lists, Start, Tile};
use rcar_iss::internals::kernels::depthwise::{self, Columns, Taps};
use rcar_iss::internals::kernels::elementwise::{self, Combine, Operand};
use rcar_iss::internals::kernels::epilogue::{Bounds, Epilogue, Scale};
use rcar_iss::internals::kernels::line::Line;
use rcar_iss::internals::kernels::requantize::{self, Multipliers};
use rcar_iss::internals::kernels::view::{View, ViewMut};
use rcar_iss::internals::{isa::EType, numeric};

/// Bytes from a seed, extremes more often than others.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| if next() < 40 { [0, 127, 128, 255][usize::from(next() % 4)] } else { next() }).collect()
}

fn sum(start: i32, products: impl Iterator<Item = i64>) -> i32 {
    (i64::from(start) + products.sum::<i64>()) as i32
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    crate::settings::try_cases(cases, &strategy, test);
}

/// Compares a level's result: all bytes beside the results must be unchanged.
fn compare(level: Level, got: &[u8], expected: &[u8]) -> Result<(), TestCaseError> {
    let first = got.iter().zip(expected).position(|(g, e)| g != e);
    prop_assert_eq!(first, None, "{}: {} bytes, the first that differs", level.name(), got.len());
    Ok(())
}

/// Sums as bytes, one pixel after the other at a step.
fn stored(sums: &[Vec<i32>], [pitch, first]: [usize; 2], scale: Option<&Scale<'_>>) -> Vec<u8> {
    let mut to = vec![0xee; first + sums.len() * pitch + 64];
    for (p, sums) in sums.iter().enumerate() {
        for (o, sum) in sums.iter().enumerate() {
            let at = first + p * pitch;
            match scale {
                None => to[at + o * 4..at + o * 4 + 4].copy_from_slice(&sum.to_le_bytes()),
                Some(s) => {
                    let Bounds { zero_point, clamp } = s.bounds;
                    to[at + o] = numeric::requantize(*sum, s.multipliers[o], zero_point, clamp) as u8;
                }
            }
        }
    }
    to
}

#[test]
fn dense_products_are_sums_of_products() {
    let shape = (1..4_usize, 1..20_usize, 1..4_usize, 1..40_usize, 1..150_usize);
    run(96, (shape, any::<u64>(), -128..128_i32, 0..256_i32, any::<bool>()), |case| {
        let ((rows, columns, taps, quads, oc), seed, zw, za, round) = case;
        let (pixel, padded) = (quads * 4 + seed as usize % 3 * 4, oc.next_multiple_of(16));
        let row = columns * pixel;
        let taps: Vec<usize> = (0..taps).map(|t| t * row + t % 2 * pixel).collect();
        let src = bytes(seed, (rows + taps.len()) * row + pixel);
        let mut weights = Aligned::default();
        weights.copy(&bytes(seed ^ 77, padded * taps.len() * quads * 4));
        // [block of 64][tap][quad][channel of the block][4]
        let weight = |o: usize, tap: usize, i: usize| {
            let (block, width) = (o / 64 * 64, (padded - o / 64 * 64).min(64));
            let before = block * taps.len() * quads * 4;
            weights[before + ((tap * quads + i / 4) * width + o % 64) * 4 + i % 4] as i8
        };
        let each = |o: usize| (0..taps.len()).flat_map(move |t| (0..quads * 4).map(move |i| (o, t, i)));
        let weight_sums: Vec<i32> = (0..oc)
            .map(|o| sum(0, each(o).map(|(o, t, i)| i64::from(weight(o, t, i)) - i64::from(zw))))
            .collect();
        let bias = bytes(seed ^ 99, oc * 2);
        let bias: Vec<[u8; 4]> =
            bias.as_chunks::<2>().0.iter().map(|b| i32::from(i16::from_le_bytes(*b)).to_le_bytes()).collect();
        let mut sums = Vec::new();
        for p in 0..rows * columns {
            let at = p / columns * row + p % columns * pixel;
            sums.push(
                (0..oc)
                    .map(|o| {
                        let products = each(o).map(|(o, t, i)| {
                            (i64::from(src[at + taps[t] + i]) - i64::from(za))
                                * (i64::from(weight(o, t, i)) - i64::from(zw))
                        });
                        sum(i32::from_le_bytes(bias[o]), products)
                    })
                    .collect(),
            );
        }
        let multipliers: Vec<f32> = (0..oc.next_multiple_of(64)).map(|o| 0.001 / (1.0 + o as f32)).collect();
        let bounds = Bounds { zero_point: 3, clamp: [0, 250] };
        let scale = Scale { multipliers: &multipliers, small: true, bounds, signed: false, guard: None };
        let scale = round.then_some(&scale);
        let pitch = if round { oc } else { oc * 4 } + 8;
        let expected = stored(&sums, [pitch, 4], scale);
        for level in Level::available() {
            let mut to = vec![0xee; expected.len()];
            let mut tile = Tile {
                src: View::from(&src[..]),
                first: 0,
                step: [row, pixel],
                extent: [rows, columns],
                taps: &taps,
                quads,
                weights: &weights,
                weight_sums: &weight_sums,
                oc,
                zeros: [za, zw],
                start: Start::Bias(&bias),
                epilogue: scale.map_or(Epilogue::Sums, |s| Epilogue::Bytes(*s)),
                dst: ViewMut::from(&mut to[..]),
                target: 4,
                stride: [columns * pitch, pitch],
            };
            let done = dense::run(&mut tile, level, &mut Lists::default());
            if level == Level::Portable {
                prop_assert_eq!(done, None, "there is no portable kernel for tiles");
                continue;
            }
            prop_assert_eq!(done, Some(0), "{}", level.name());
            compare(level, &to, &expected)?;
        }
        Ok(())
    });
}

#[test]
fn depthwise_products_are_sums_of_products() {
    let shape = (1..4_usize, 1..20_usize, 1..150_usize, prop_oneof![Just(3_usize), Just(5)], 1..3_usize);
    run(96, (shape, any::<u64>(), 0..256_i32, -2..3_i64, any::<bool>()), |case| {
        let ((rows, columns, channels, kernel, stride), seed, za, corner, by_columns) = case;
        // Windows inside the image, for kernels that do not handle padding.
        let corner = if by_columns { corner.min(1) } else { 0 };
        let [height, width] =
            [rows, columns].map(|n| (n - 1) * stride + kernel + if by_columns { 0 } else { 1 });
        let pixel = channels + seed as usize % 5;
        let src = bytes(seed, height * width * pixel);
        let weights: Vec<i16> =
            bytes(seed ^ 5, kernel * kernel * channels).iter().map(|b| i16::from(*b as i8)).collect();
        let init: Vec<i32> = (0..channels.next_multiple_of(64))
            .map(|c| if c < channels { c as i32 * 1000 - 500 } else { 0 })
            .collect();
        let at = |y: i64, x: i64, c: usize| {
            let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
            if inside { i64::from(src[(y as usize * width + x as usize) * pixel + c]) } else { i64::from(za) }
        };
        let mut sums = Vec::new();
        for p in 0..rows * columns {
            let [y, x] = [p / columns, p % columns].map(|n| (n * stride) as i64 + corner);
            sums.push(
                (0..channels)
                    .map(|c| {
                        sum(
                            init[c],
                            (0..kernel * kernel).map(|t| {
                                at(y + (t / kernel) as i64, x + (t % kernel) as i64, c)
                                    * i64::from(weights[t * channels + c])
                            }),
                        )
                    })
                    .collect::<Vec<_>>(),
            );
        }
        let pitch = channels * 4 + 12;
        let expected = stored(&sums, [pitch, 8], None);
        for level in Level::available() {
            let mut packed = Aligned::default();
            let square = by_columns.then_some(kernel);
            if !depthwise::pack(level, &weights, square, channels, &mut packed) {
                let none = if by_columns {
                    level.has_avx512() || level.is_avx2()
                } else {
                    depthwise::has_taps(level)
                };
                prop_assert!(!none, "{}: weights are not taken", level.name());
                continue;
            }
            let mut to = vec![0xee; expected.len()];
            let (src, dst) = (View::from(&src[..]), ViewMut::from(&mut to[..]));
            let (extent, step) = ([rows, columns], [columns * pitch, pitch]);
            let done = if by_columns {
                let mut tile = Columns {
                    src,
                    first: 0,
                    pitch: [width * pixel, pixel],
                    image: [height, width],
                    corner: [corner; 2],
                    flip: 0,
                    zero: za as u8,
                    extent,
                    kernel,
                    stride: [stride; 2],
                    weights: &packed,
                    channels,
                    init: &init,
                    epilogue: Epilogue::Sums,
                    dst,
                    target: 8,
                    step,
                };
                depthwise::run_columns(&mut tile, level, &mut Aligned::default())
            } else {
                let taps: Vec<usize> =
                    (0..kernel * kernel).map(|t| (t / kernel * width + t % kernel) * pixel).collect();
                let mut tile = Taps {
                    src,
                    first: 0,
                    step: [stride * width * pixel, stride * pixel],
                    extent,
                    taps: &taps,
                    weights: &packed,
                    channels,
                    init: &init,
                    dst,
                    target: 8,
                    stride: step,
                };
                depthwise::run_taps(&mut tile, level)
            };
            prop_assert!(done, "{}", level.name());
            compare(level, &to, &expected)?;
        }
        Ok(())
    });
}

#[test]
fn element_wise_kernels_agree_with_the_portable_ones() {
    run(
        96,
        (1..5_usize, 1..200_usize, any::<u64>(), any::<[bool; 3]>()),
        |(rows, n, seed, [signed, add, one])| {
            let memory = bytes(seed, 3 * rows * (n + 9));
            let etype = if signed { EType::S8 } else { EType::U8 };
            let clamp = etype.int_range().unwrap();
            let operand =
                |i: usize, one| Operand { at: i * rows * (n + 9), strides: [0, 0, n + 9], etype, one };
            let value = |at: usize| if signed { i32::from(memory[at] as i8) } else { i32::from(memory[at]) };
            let (combine, zeros) = if add {
                (Combine::Add([0.3, 0.9, 1.25]), [0; 2])
            } else {
                (Combine::Mul([3, -2], 0.01, 7), [3, -2])
            };
            let mut expected = memory.clone();
            for row in 0..rows {
                for i in 0..n {
                    let at = |o: usize, i: usize| (o * rows + row) * (n + 9) + i;
                    let (a, b) = (value(at(1, i)), value(at(2, if one { 0 } else { i })));
                    expected[at(0, i)] = match combine {
                        Combine::Add([p, q, c]) => numeric::add(a, b, p, q, c, clamp),
                        Combine::Mul(_, m, zero) => {
                            numeric::mul_operands(a - zeros[0], b - zeros[1], m, zero, clamp)
                        }
                    } as u8;
                }
            }
            for level in Level::available() {
                let mut to = memory.clone();
                let from = [operand(1, false), operand(2, one)];
                let view = ViewMut::from(&mut to[..]);
                let done = elementwise::combine(
                    level,
                    view,
                    [1, 1, rows, n],
                    operand(0, false),
                    from,
                    combine,
                    clamp,
                );
                prop_assert_eq!(done, level.has_avx512(), "{}", level.name());
                if done {
                    compare(level, &to, &expected)?;
                }
            }
            Ok(())
        },
    );
}

/// Extents and steps that no caller should pass, beside valid ones; with a step of 0 any extent is inside.
fn odd() -> impl Strategy<Value = usize> {
    let huge = [1 << 40, 1 << 60, usize::MAX / 2, usize::MAX - 3, usize::MAX];
    prop_oneof![3 => Just(0), 3 => 1..4_usize, 2 => proptest::sample::select(huge.to_vec())]
}

#[test]
fn odd_arguments_are_refused_and_nothing_is_done() {
    let all = proptest::collection::vec(odd(), 18);
    run(3000, (all, any::<u64>(), any::<i64>()), |(n, seed, corner)| {
        let (src, weights) = (bytes(seed, 600), bytes(seed ^ 3, 1024));
        let (sums, multipliers) = (vec![0_i32; 128], vec![0.5_f32; 128]);
        let clamp = if seed % 5 == 0 { [0, i32::MAX] } else { [0, 255] };
        let bounds = Bounds { zero_point: -1, clamp };
        let scale = Scale { multipliers: &multipliers, small: true, bounds, signed: false, guard: None };
        let epilogue = if seed % 2 == 0 { Epilogue::Sums } else { Epilogue::Bytes(scale) };
        let (taps, channels) = ([n[0], n[1]], if n[8] < 4 { n[8] * 5 } else { n[8] });
        for level in Level::available() {
            let mut to = vec![0xee; 300];
            let mut tile = Tile {
                src: View::from(&src[..]),
                first: n[2],
                step: [n[3], n[4]],
                extent: [n[5], n[6]],
                taps: &taps,
                quads: n[7],
                weights: &weights,
                weight_sums: &sums,
                oc: channels,
                zeros: [0, 0],
                start: Start::Zero,
                epilogue,
                dst: ViewMut::from(&mut to[..]),
                target: n[9],
                stride: [n[10], n[11]],
            };
            if dense::run(&mut tile, level, &mut Lists::default()).is_none() {
                compare(level, &to, &[0xee; 300])?;
            }
            // As many bytes of weights as each level takes for one block of channels.
            let exact = if level.is_avx2() { [192, 384][seed as usize / 2 % 2] } else { 768 };
            let mut to = vec![0xee; 300];
            let mut tile = Columns {
                src: View::from(&src[..]),
                first: n[2],
                pitch: [n[3], n[4]],
                image: [n[5], n[6]],
                corner: [corner >> (seed % 64), corner >> (seed / 64 % 64)],
                flip: 0,
                zero: 0,
                extent: [n[12], n[13]],
                kernel: if seed % 3 == 0 { n[14] } else { 3 },
                stride: [n[15], n[7]],
                weights: &weights[..exact],
                channels,
                init: &sums,
                epilogue,
                dst: ViewMut::from(&mut to[..]),
                target: n[9],
                step: [n[10], n[11]],
            };
            if !depthwise::run_columns(&mut tile, level, &mut Aligned::default()) {
                compare(level, &to, &[0xee; 300])?;
            }
            let mut tile = Taps {
                src: View::from(&src[..]),
                first: n[2],
                step: [n[3], n[4]],
                extent: [n[5], n[6]],
                taps: &taps,
                weights: &weights,
                channels,
                init: &sums,
                dst: ViewMut::from(&mut to[..]),
                target: n[9],
                stride: [n[10], n[11]],
            };
            let _ = depthwise::run_taps(&mut tile, level);
            let etype = if seed % 7 == 0 { EType::S32 } else { EType::U8 };
            let operand = |i: usize| Operand {
                at: n[i],
                strides: [n[i + 1], n[i + 2], n[i + 3]],
                etype,
                one: n[i] == 1,
            };
            let (dims, from) = ([n[0], n[1], n[2], n[3]], [operand(4), operand(8)]);
            let view = ViewMut::from(&mut to[..]);
            let _ = elementwise::combine(level, view, dims, operand(12), from, Combine::Add([1.0; 3]), clamp);
            let (acc, line) = (View::from(&src[..]), |i: usize| Line { first: n[i], stride: n[i + 1] });
            let by = ((acc, line(0), n[4]), (ViewMut::from(&mut to[..]), line(2), n[5]));
            let mut each = Multipliers::default();
            prop_assert!(each.take(&multipliers[..n[6].min(40)]).is_some());
            let _ = requantize::wide_rows(level, by.0, by.1, n[7], &each, bounds);
            let single = &multipliers[..n[6].min(40)];
            let (to, room) = ((ViewMut::from(&mut to[..]), line(2)), &mut Vec::new());
            let _ = requantize::rows(level, (acc, line(0)), to, n[7], single, (bounds, false), room);
            let differences: Vec<i16> = weights.iter().map(|b| i16::from(*b)).collect();
            let square = (n[0] < 6).then_some(n[0]);
            let _ = depthwise::pack(level, &differences, square, n[8], &mut Aligned::default());
        }
        Ok(())
    });
}
