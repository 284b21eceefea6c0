//! A program on one input, repeated.

use std::sync::{Arc, Mutex};

use super::watch::{Spent, Timed, now};
use crate::host::FloatHost;
use crate::kernels::cpu::Level;
use crate::sim::{self, Loaded, RunError, Session};

/// Durations on this computer, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// Each repetition.
    pub times: Vec<f64>,
    /// The clock alone, for each repetition; empty unless instructions are timed.
    pub clock: Vec<f64>,
    /// Durations of instructions over all repetitions; empty unless they are timed.
    pub spent: Spent,
}

/// Executes a program on one input repeatedly. A repetition executes it, computes its clock again, and reads
/// the outputs.
pub struct Repeat<'a> {
    loaded: &'a Loaded,
    session: Session,
    host: FloatHost,
    input: &'a [(&'a str, &'a [u8])],
    /// Durations of instructions, if they are timed.
    spent: Option<Arc<Mutex<Spent>>>,
}

impl<'a> Repeat<'a> {
    /// A repeated run on the fast engine; `timed` measures the duration of each instruction, which costs
    /// about 50 ns each. With several threads, durations of instructions that ran in parallel add up to more
    /// than the total.
    #[must_use]
    pub fn new(
        loaded: &'a Loaded,
        input: &'a [(&'a str, &'a [u8])],
        (level, threads): (Level, usize),
        timed: bool,
    ) -> Repeat<'a> {
        let spent: Option<Arc<Mutex<Spent>>> = timed.then(Arc::default);
        let threads = sim::worthwhile(loaded, threads);
        let mut session = Session::builder(loaded).threads(threads).kernels(level);
        if let Some(spent) = &spent {
            let (loaded, spent) = (loaded.clone(), Arc::clone(spent));
            session = session.probe(move || Box::new(Timed::new(loaded.clone(), Arc::clone(&spent))));
        }
        let session = session.build();
        Repeat { loaded, session, host: FloatHost::new(), input, spent }
    }

    /// One repetition; returns its seconds.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn once(&mut self) -> Result<f64, RunError> {
        let begin = now();
        self.session.run(self.input, &mut self.host, &mut ())?;
        for tensor in self.loaded.program().meta.outputs() {
            std::hint::black_box(self.session.tensor(tensor));
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    /// Measures `count` repetitions.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn measure(&mut self, count: usize) -> Result<Measured, RunError> {
        if let Some(Ok(mut spent)) = self.spent.as_ref().map(|s| s.lock()) {
            spent.clear();
        }
        let times = (0..count).map(|_| self.once()).collect::<Result<_, _>>()?;
        let Some(spent) = &self.spent else { return Ok(Measured { times, ..Measured::default() }) };
        let spent = spent.lock().map(|s| s.clone()).unwrap_or_default();
        let clock = (0..count).map(|_| self.clock()).collect::<Result<_, _>>()?;
        Ok(Measured { times, clock, spent })
    }

    /// Measures the clock alone, in seconds.
    fn clock(&self) -> Result<f64, RunError> {
        let begin = now();
        std::hint::black_box(self.loaded.clock_anew()?);
        Ok(begin.elapsed().as_secs_f64())
    }
}
