//! Worker threads that are kept from run to run, and the thread that runs a program with them.

#![expect(unsafe_code, reason = "the memory that workers share")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::schedule::{Schedule, Task, caches_weights};
use crate::isa::Space;
use crate::sim::engine::Engine;
use crate::sim::fault::FaultKind;
use crate::sim::memory::Memory;
use crate::sim::op::QueueOp;
use crate::sim::plan::Plan;
use crate::sim::shared::Shared;

/// After this many polls without a task that is ready, about 3 µs, a worker yields its core before it polls
/// again: the worker that it waits for may have no core. Sleeping would be worse: wake-ups take much longer
/// than a task, and delays would propagate from worker to worker.
const SPINS: u32 = 64;

/// How many of its tasks a worker has executed, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Done(AtomicU32);

/// The state that workers check before they take part in a run.
#[derive(Debug, Default)]
struct Gate {
    /// Number of the run.
    run: u64,
    open: bool,
    quit: bool,
}

struct State {
    /// Schedules for runs without observers of layers, and for those that stop at the ends of layers.
    free: Schedule,
    stops: OnceLock<Schedule>,
    /// Whether the present run stops at the ends of layers.
    stopping: AtomicBool,
    done: Vec<Done>,
    /// Index of the first instruction behind the next barrier: those before it may be executed.
    limit: AtomicUsize,
    gate: Mutex<Gate>,
    wake: Condvar,
    /// Whether a run is in progress.
    open: AtomicBool,
    /// Workers that take part in it.
    inside: AtomicUsize,
    wraps: AtomicU64,
    /// Whether a worker panicked; `panic` has the reason.
    broken: AtomicBool,
    /// The first fault in program order. What comes later than it may compute with undefined values, so it is
    /// reported once everything before the barrier is executed.
    failed: Mutex<Option<(u64, FaultKind)>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Locks are held briefly, and never while something can panic: a poisoned one is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of one thread.
struct Worker {
    number: usize,
    engine: Box<dyn Engine + Send>,
    memory: Memory,
    /// Its own accumulators for sums that only the next instruction reads. Fused products then need not wait
    /// for each other where the program has them share accumulators.
    sums: Shared,
    /// Tasks that it has executed.
    at: usize,
    /// Instructions whose writes its engine knows of.
    seen: usize,
}

impl Worker {
    fn begin(&mut self) {
        self.engine.reset();
        (self.at, self.seen) = (0, 0);
    }
}

impl State {
    /// The schedule of the present run.
    fn schedule(&self) -> &Schedule {
        let stops = self.stops.get().filter(|_| self.stopping.load(Ordering::Acquire));
        stops.unwrap_or(&self.free)
    }

    /// Executes a worker's next task: true if it has, false if the task waits for another worker, `None` if
    /// there is no task before the barrier.
    fn one(&self, worker: &mut Worker) -> Option<bool> {
        let task = self.schedule().workers[worker.number].get(worker.at)?;
        if task.seq >= self.limit.load(Ordering::Acquire) {
            return None;
        }
        let mut waits = self.schedule().waits(task).iter();
        if !waits.all(|w| self.done[w.worker as usize].0.load(Ordering::Acquire) >= w.tasks) {
            return Some(false);
        }
        self.execute(worker, task);
        worker.at += 1;
        self.done[worker.number].0.store(worker.at as u32, Ordering::Release);
        Some(true)
    }

    fn execute(&self, worker: &mut Worker, task: &Task) {
        // The engine may have cached something that it read before, so it must be told of what others have
        // written since. Writes that are later in program order cannot touch what this task reads: they would
        // wait for it.
        let first = task.unit.first();
        if caches_weights(first) {
            for range in self.schedule().writes(worker.seen..task.seq).iter().filter(|(lo, hi)| lo < hi) {
                worker.engine.changed(*range);
            }
            worker.seen = worker.seen.max(task.seq);
        }
        let Worker { engine, memory, sums, .. } = worker;
        if task.unit.is_fused() {
            memory.exchange_accumulators(sums);
            let result = catch_unwind(AssertUnwindSafe(|| engine.execute_unit(&task.unit, memory)));
            memory.exchange_accumulators(sums);
            self.note(first, result.unwrap_or_else(|panic| resume_unwind(panic)));
        } else {
            self.note(first, engine.execute_unit(&task.unit, memory));
        }
    }

    fn note(&self, op: &QueueOp, result: Result<u64, FaultKind>) {
        match result {
            Ok(0) => {}
            Ok(wraps) => {
                self.wraps.fetch_add(wraps, Ordering::Relaxed);
            }
            Err(kind) => {
                let mut failed = lock(&self.failed);
                if failed.as_ref().is_none_or(|(seq, _)| op.seq < *seq) {
                    *failed = Some((op.seq, kind));
                }
            }
        }
    }

    /// Executes tasks until the run ends.
    fn work(&self, worker: &mut Worker) {
        worker.begin();
        let mut idle = 0;
        while self.open.load(Ordering::Acquire) {
            if self.one(worker) == Some(true) {
                idle = 0;
            } else {
                pause(&mut idle);
            }
        }
    }

    /// The main loop of a worker thread.
    fn serve(&self, worker: &mut Worker) {
        let mut run = 0;
        loop {
            let mut gate = lock(&self.gate);
            while !(gate.quit || gate.open && gate.run != run) {
                gate = self.wake.wait(gate).unwrap_or_else(PoisonError::into_inner);
            }
            if gate.quit {
                return;
            }
            run = gate.run;
            self.inside.fetch_add(1, Ordering::AcqRel);
            drop(gate);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work(worker))) {
                lock(&self.panic).get_or_insert(panic);
                self.broken.store(true, Ordering::Release);
            }
            self.inside.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn pause(idle: &mut u32) {
    *idle = idle.saturating_add(1);
    if *idle > SPINS { std::thread::yield_now() } else { std::hint::spin_loop() }
}

/// The workers of one session.
pub(in crate::sim) struct Pool {
    plan: Arc<Plan>,
    grain: u64,
    shared: Arc<State>,
    /// The state of the thread that runs a program.
    own: Worker,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Workers for a plan, the calling thread one of them; `None` if no threads can be created. `engine`
    /// makes engines that do not track written bytes; units are cut into parts of at least `grain` work
    /// (multiply-accumulates of a convolution).
    pub(in crate::sim) fn new(
        plan: &Arc<Plan>,
        memory: &Memory,
        threads: usize,
        grain: u64,
        engine: &dyn Fn() -> Box<dyn Engine + Send>,
    ) -> Option<Pool> {
        let shared = Arc::new(State {
            free: Schedule::new(plan, memory, threads, grain, false),
            stops: OnceLock::new(),
            stopping: AtomicBool::new(false),
            done: (0..threads).map(|_| Done::default()).collect(),
            limit: AtomicUsize::new(0),
            gate: Mutex::default(),
            wake: Condvar::new(),
            open: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            wraps: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            failed: Mutex::default(),
            panic: Mutex::default(),
        });
        let worker = |number| {
            // SAFETY: a worker touches memory only while it executes a task all of whose predecessors are
            // done: every earlier task of another worker that touches one of its bytes, one of the two
            // writing (`Schedule` compares the bytes of all operations, for images including those between
            // taps). A later such task waits for this one. The `done` counters order them: released after a
            // task, acquired before the next. Parts of one instruction write different bytes, and read none
            // that another part writes; nor do tiles whose order is free. The accumulators of fused products
            // are the worker's own. The session touches memory before the first call of `run_to`, after
            // `end`, and between the return of `run_to` and the next call, which raises the limit.
            let memory = unsafe { memory.alias() };
            let sums = Shared::zeros(memory.size(Space::Acc) as usize);
            Worker { number, engine: engine(), memory, sums, at: 0, seen: 0 }
        };
        let last = threads.checked_sub(1)?;
        let mut pool = Pool { plan: Arc::clone(plan), grain, own: worker(last), shared, threads: Vec::new() };
        for number in 0..last {
            let (shared, mut worker) = (Arc::clone(&pool.shared), worker(number));
            let thread = std::thread::Builder::new().name(format!("rcn-{number}"));
            pool.threads.push(thread.spawn(move || shared.serve(&mut worker)).ok()?);
        }
        Some(pool)
    }

    /// Begins a run; with `stops`, it can stop at the ends of layers. Workers wake up, and touch no memory
    /// before [`run_to`](Self::run_to).
    pub(in crate::sim) fn begin(&mut self, memory: &Memory, stops: bool) {
        let shared = &*self.shared;
        if stops {
            let Pool { plan, grain, .. } = self;
            shared.stops.get_or_init(|| Schedule::new(plan, memory, shared.done.len(), *grain, true));
        }
        shared.stopping.store(stops, Ordering::Release);
        shared.done.iter().for_each(|done| done.0.store(0, Ordering::Relaxed));
        shared.limit.store(0, Ordering::Relaxed);
        shared.wraps.store(0, Ordering::Relaxed);
        shared.broken.store(false, Ordering::Relaxed);
        lock(&shared.failed).take();
        lock(&shared.panic).take();
        self.own.begin();
        let mut gate = lock(&shared.gate);
        gate.run += 1;
        gate.open = true;
        shared.open.store(true, Ordering::Release);
        drop(gate);
        shared.wake.notify_all();
    }

    /// Executes the first `seq` instructions of the record, as far as that is not done. Whenever the calling
    /// thread would have to wait, it calls `other`, which does a small piece of other work and returns
    /// whether more is left.
    ///
    /// # Errors
    /// The number of the first queue instruction that faulted, and the fault.
    pub(in crate::sim) fn run_to(
        &mut self,
        seq: usize,
        other: &mut dyn FnMut() -> bool,
    ) -> Result<(), (u64, FaultKind)> {
        let shared = &*self.shared;
        shared.limit.store(seq, Ordering::Release);
        let limits: Vec<u32> = (0..shared.done.len()).map(|w| shared.schedule().before(w, seq)).collect();
        let (mut idle, mut more) = (0, true);
        loop {
            if shared.broken.load(Ordering::Acquire) {
                self.end();
                if let Some(panic) = lock(&self.shared.panic).take() {
                    resume_unwind(panic);
                }
                return Ok(());
            }
            match shared.one(&mut self.own) {
                Some(true) => {
                    idle = 0;
                    continue;
                }
                None if limits.iter().zip(&shared.done).all(|(l, d)| d.0.load(Ordering::Acquire) >= *l) => {
                    let failed = lock(&shared.failed).take();
                    return match failed {
                        Some(fault) => {
                            self.end();
                            Err(fault)
                        }
                        None => Ok(()),
                    };
                }
                _ => {}
            }
            if more {
                more = other();
            } else {
                pause(&mut idle);
            }
        }
    }

    /// Ends the run, if one is in progress: no worker touches memory any more. Returns the accumulations that
    /// wrapped.
    pub(in crate::sim) fn end(&mut self) -> u64 {
        let shared = &*self.shared;
        let mut gate = lock(&shared.gate);
        gate.open = false;
        shared.open.store(false, Ordering::Release);
        drop(gate);
        let mut idle = 0;
        while shared.inside.load(Ordering::Acquire) > 0 {
            pause(&mut idle);
        }
        shared.wraps.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.shared.gate).quit = true;
        self.end();
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // Its panic was passed on when it happened.
            let _ = thread.join();
        }
    }
}
