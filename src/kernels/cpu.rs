//! Which instructions of this CPU kernels may use.

#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "asks the system for matrix tiles"))]

/// The instructions that kernels may use. Results are the same on every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What every CPU of the target has.
    Portable,
    /// AVX2 and FMA.
    Avx2(Proof),
    /// AVX2 with VPDPBUSD on 256 bits.
    AvxVnni(Proof),
    /// AVX-512 with VPDPBUSD on 512 bits.
    Avx512Vnni(Proof),
    /// AVX-512 VNNI with matrix tiles (AMX) for dense convolutions of bytes.
    Amx(Proof),
    /// On ARM: SDOT, the dot products of bytes of ARMv8.2.
    NeonDot(Proof),
}

/// Proof that the CPU supports a level: only detection makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof(());

/// Why a level is not available.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No such level.
    #[error("there are no kernels named '{0}'")]
    Unknown(String),
    /// This CPU does not support it.
    #[error("this CPU does not execute the {0} kernels")]
    Missing(&'static str),
}

impl Level {
    /// The names of all levels, slowest first for each kind of CPU.
    pub const NAMES: [&str; 6] = ["portable", "avx2", "avx-vnni", "avx512-vnni", "amx", "neon-dot"];

    /// The best level of this CPU.
    #[must_use]
    pub fn detect() -> Level {
        Level::available().last().copied().unwrap_or(Level::Portable)
    }

    /// The levels that this CPU supports, slowest first.
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
                if matrix_tiles() {
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

    /// The level with a name, if this CPU supports it.
    ///
    /// # Errors
    /// An unknown name, or a level that this CPU lacks.
    pub fn named(name: &str) -> Result<Level, LevelError> {
        let Some(known) = Level::NAMES.into_iter().find(|n| *n == name) else {
            return Err(LevelError::Unknown(name.into()));
        };
        Level::available().into_iter().find(|l| l.name() == known).ok_or(LevelError::Missing(known))
    }

    /// Whether the level's dense kernels can store requantized bytes instead of sums.
    #[must_use]
    pub fn requantizes(self) -> bool {
        self != Level::Portable
    }

    /// Whether kernels on 512 bits may be called.
    #[must_use]
    pub fn has_avx512(self) -> bool {
        matches!(self, Level::Avx512Vnni(_) | Level::Amx(_))
    }

    /// Whether the best kernels are those on 256 bits, with or without VPDPBUSD.
    #[must_use]
    pub fn is_avx2(self) -> bool {
        matches!(self, Level::Avx2(_) | Level::AvxVnni(_))
    }

    /// The name, as `--kernels` takes it.
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

/// Whether the CPU has matrix tiles of bytes and the system lets this process use them; makes a system call.
#[cfg(target_arch = "x86_64")]
fn matrix_tiles() -> bool {
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
            // SAFETY: the system call arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) accesses no memory
            // of this process.
            unsafe {
                std::arch::asm!(
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
