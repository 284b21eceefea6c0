//! One kernel source, compiled for several instruction sets.

/// Which instructions kernels may use. Results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What every CPU of the target has.
    Portable,
    /// AVX2 and FMA. Only [`Level::detect`] gives it, where the CPU has both.
    Avx2(Avx2),
}

/// Proof that the CPU has AVX2 and FMA: only detection makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

impl Level {
    /// The best level of this CPU.
    #[must_use]
    pub fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return Level::Avx2(Avx2(()));
        }
        Level::Portable
    }
}

/// Defines a kernel and its twin for AVX2: `fn name(level, …)` picks one.
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

            match level {
                #[cfg(target_arch = "x86_64")]
                $crate::sim::engine::fast::Level::Avx2(_) => {
                    // SAFETY: an `Avx2` is made by detection only, so the CPU has AVX2 and FMA.
                    #[allow(unsafe_code, reason = "a call into code for detected CPU features")]
                    unsafe {
                        avx2($($arg),*)
                    }
                }
                _ => portable($($arg),*),
            }
        }
    };
}
pub(super) use kernel;
