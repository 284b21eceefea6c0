//! Progress bars on stderr, for work that takes over a second on a terminal.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether bars are disabled.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Disables progress bars.
pub(super) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// A bar that appears after a second.
pub(super) struct Progress {
    bar: ProgressBar,
    begin: Instant,
    shown: AtomicBool,
}

impl Progress {
    /// A bar of `length` steps.
    #[expect(clippy::disallowed_methods, reason = "real time, for the person who waits")]
    pub(super) fn new(length: u64, what: &'static str) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Progress { bar, begin: Instant::now(), shown: AtomicBool::new(SILENT.load(Ordering::Relaxed)) }
    }

    /// Advances by one step.
    pub(super) fn step(&self) {
        if self.begin.elapsed() > Duration::from_secs(1) && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
        self.bar.inc(1);
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Successive bars, for work in several parts.
#[derive(Default)]
pub(super) struct Bars(Mutex<Option<Progress>>);

impl Bars {
    /// Replaces the bar by that of a part with `steps` steps.
    pub(super) fn begin(&self, what: &'static str, steps: usize) {
        self.swap(Some(Progress::new(steps as u64, what)));
    }

    /// Advances by one step.
    pub(super) fn step(&self) {
        if let Ok(bar) = self.0.lock()
            && let Some(bar) = &*bar
        {
            bar.step();
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.swap(None);
    }

    fn swap(&self, next: Option<Progress>) {
        if let Ok(mut bar) = self.0.lock()
            && let Some(last) = std::mem::replace(&mut *bar, next)
        {
            last.finish();
        }
    }
}
