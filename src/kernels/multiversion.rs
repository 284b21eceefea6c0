//! One kernel source compiled for several instruction sets: loops that the compiler vectorizes.

/// Defines a kernel and its twins for AVX2 and AVX-512: `fn name(level, …)` picks one.
macro_rules! kernel {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name(level: $crate::kernels::cpu::Level, $($arg: $ty),*) $(-> $ret)? {
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
            use $crate::kernels::cpu::Level;
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
pub(crate) use kernel;
