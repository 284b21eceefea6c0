//! Which instructions of the host kernels may use, and one kernel source compiled for several of them.

/// Which instructions kernels may use. Results are the same on every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What every CPU of the target has.
    Portable,
    /// AVX2 and FMA.
    Avx2(Proof),
    /// The same with VPDPBUSD on 256 bits.
    AvxVnni(Proof),
    /// AVX-512 with VPDPBUSD on 512 bits.
    Avx512Vnni(Proof),
    /// The same with matrix tiles (AMX) for dense convolutions of bytes.
    Amx(Proof),
    /// On ARM: SDOT, the dot products of bytes of ARMv8.2.
    NeonDot(Proof),
}

/// Proof that the CPU has what a level needs: only detection makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof(());

/// Why a level cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No such level.
    #[error("there are no kernels named '{0}'")]
    Unknown(String),
    /// This CPU lacks it.
    #[error("this CPU does not execute the {0} kernels")]
    Missing(&'static str),
}

impl Level {
    /// The names of all levels, of each kind of CPU the slowest first.
    pub const NAMES: [&str; 6] = ["portable", "avx2", "avx-vnni", "avx512-vnni", "amx", "neon-dot"];

    /// The best level of this CPU.
    #[must_use]
    pub fn detect() -> Level {
        Level::available().last().copied().unwrap_or(Level::Portable)
    }

    /// The levels that this CPU has, the slowest first.
    #[must_use]
    pub fn available() -> Vec<Level> {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64")),
            expect(unused_mut, reason = "other CPUs add none")
        )]
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let proof = Proof(());
            if !(has!("avx2") && has!("fma")) {
                return levels;
            }
            levels.push(Level::Avx2(proof));
            if has!("avxvnni") {
                levels.push(Level::AvxVnni(proof));
            }
            if has!("avx512f")
                && has!("avx512bw")
                && has!("avx512vl")
                && has!("avx512dq")
                && has!("avx512vnni")
            {
                levels.push(Level::Avx512Vnni(proof));
                if super::simd::amx::permitted() {
                    levels.push(Level::Amx(proof));
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            levels.push(Level::NeonDot(Proof(())));
        }
        levels
    }

    /// The level of a name, if this CPU has it.
    ///
    /// # Errors
    /// An unknown name, or a level that this CPU lacks.
    pub fn named(name: &str) -> Result<Level, LevelError> {
        let Some(known) = Level::NAMES.into_iter().find(|n| *n == name) else {
            return Err(LevelError::Unknown(name.into()));
        };
        Level::available().into_iter().find(|l| l.name() == known).ok_or(LevelError::Missing(known))
    }

    /// Whether dense kernels of the level give the bytes of a requantization instead of sums.
    pub(super) fn requantizes(self) -> bool {
        self != Level::Portable
    }

    /// Keeps the CPU busy with as many products of bytes as VPDPBUSD on 512 bits can do, for benchmarks: `rounds` rounds; gives
    /// the multiply-accumulates done. None on levels without that instruction.
    #[must_use]
    pub fn spin(self, rounds: u64) -> Option<u64> {
        #[cfg(target_arch = "x86_64")]
        if matches!(self, Level::Avx512Vnni(_) | Level::Amx(_)) {
            let (macs, result) = super::simd::peak::products(rounds);
            std::hint::black_box(result);
            return Some(macs);
        }
        let _ = rounds;
        None
    }

    /// As `--kernels` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Level::NAMES[match self {
            Level::Portable => 0,
            Level::Avx2(_) => 1,
            Level::AvxVnni(_) => 2,
            Level::Avx512Vnni(_) => 3,
            Level::Amx(_) => 4,
            Level::NeonDot(_) => 5,
        }]
    }
}

/// Defines a kernel and its twins for AVX2 and AVX-512: `fn name(level, …)` picks one.
macro_rules! kernel {
    ($(#[$doc:meta])* pub(super) fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub(super) fn $name(level: $crate::sim::engine::fast::Level, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                portable($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                portable($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            use $crate::sim::engine::fast::Level;
            match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx2(_) | Level::AvxVnni(_) => {
                    // SAFETY: detection gives these levels only to a CPU with AVX2 and FMA.
                    #[allow(unsafe_code, reason = "a call into code for detected CPU features")]
                    unsafe {
                        avx2($($arg),*)
                    }
                }
                #[cfg(target_arch = "x86_64")]
                Level::Avx512Vnni(_) | Level::Amx(_) => {
                    // SAFETY: detection gives these levels only to a CPU with these features.
                    #[allow(unsafe_code, reason = "a call into code for detected CPU features")]
                    unsafe {
                        avx512($($arg),*)
                    }
                }
                _ => portable($($arg),*),
            }
        }
    };
}
pub(super) use kernel;
