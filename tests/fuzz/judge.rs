//! Judges one input: what its target proves, and that it took neither endless time nor endless memory.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rcar_iss::internals::files;

use crate::memory;
use crate::targets::{Proof, Target};

/// Time of the processor that an input may take; unoptimized code is slow.
pub(crate) const MOST_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });
/// Memory that an input may take beside sixteen times its size.
const MOST_MEMORY: usize = 1 << 30;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are kept for [`judge`] instead of being printed.
pub(crate) fn keep_panics() {
    let printed = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // The tool guards decoders that others wrote, and says itself what became of that.
        if !files::is_guarded() {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let what = info.payload_as_str().unwrap_or("?");
            PANIC.set(format!("panic at {place}: {what}"));
            if std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0") {
                printed(info);
            }
        }
    }));
}

/// What the target proves of the input.
pub(crate) fn judge(target: &Target, input: &[u8]) -> Proof {
    memory::reset();
    let before = used();
    let proof =
        catch_unwind(AssertUnwindSafe(|| (target.prove)(input))).unwrap_or_else(|_| Err(PANIC.take()));
    let took = used().saturating_sub(before);
    let most = memory::most();
    let reached = proof?;
    if took > MOST_TIME {
        return Err(format!("it takes {:.0} s", took.as_secs_f64()));
    }
    if most > MOST_MEMORY + 16 * input.len() {
        return Err(format!("it takes {} MiB of memory", most >> 20));
    }
    Ok(reached)
}

/// Time of the processor that this thread has used; where the system does not say, none.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0))
}
