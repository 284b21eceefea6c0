//! Workers that stay from run to run, and the thread that runs a program with them.

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

/// A worker that has looked this often for something to do, some 3 µs, offers its core to others before it
/// looks again: whom it waits for may have none. Sleeping would be worse: who is waited for then waits
/// itself, so that soon every step takes as long as a nap.
const SPINS: u32 = 64;

/// How many of its tasks a worker has executed, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Done(AtomicU32);

/// Who takes part in a run.
#[derive(Debug, Default)]
struct Gate {
    /// Number of the run.
    run: u64,
    open: bool,
    quit: bool,
}

struct State {
    /// For runs that nobody watches, and for those that stop at the ends of layers.
    free: Schedule,
    stops: OnceLock<Schedule>,
    /// The present run is one of the latter.
    stopping: AtomicBool,
    done: Vec<Done>,
    /// Instructions that may be executed before the next barrier.
    limit: AtomicUsize,
    gate: Mutex<Gate>,
    bell: Condvar,
    /// A run goes on.
    open: AtomicBool,
    /// Workers that take part in it.
    inside: AtomicUsize,
    wraps: AtomicU64,
    /// Something went wrong: what, below.
    broken: AtomicBool,
    failed: Mutex<Option<(u32, FaultKind)>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Locks are held for moments only, never while something can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's own part of a run.
struct Worker {
    number: usize,
    engine: Box<dyn Engine + Send>,
    memory: Memory,
    /// Accumulators of its own for sums that only the next instruction reads: fused products need not wait
    /// for each other because a program has them share a place.
    sums: Shared,
    /// Tasks that it has executed.
    at: usize,
    /// Instructions whose writes the engine knows of.
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

    /// Executes a worker's next task, if it comes before the barrier. None if it does not, false if the task
    /// waits for another worker.
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
        // An engine may have kept something of what it read before: it must know what others have written
        // since. What they write later in program order is not what this task reads, or they would wait for
        // it.
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
                lock(&self.failed).get_or_insert((op.pc, kind));
                self.broken.store(true, Ordering::Release);
            }
        }
    }

    /// Works as long as the run goes on.
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

    /// The life of a worker.
    fn serve(&self, worker: &mut Worker) {
        let mut run = 0;
        loop {
            let mut gate = lock(&self.gate);
            while !(gate.quit || gate.open && gate.run != run) {
                gate = self.bell.wait(gate).unwrap_or_else(PoisonError::into_inner);
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

/// Workers for the runs of one session.
pub(in crate::sim) struct Pool {
    plan: Arc<Plan>,
    grain: u64,
    shared: Arc<State>,
    /// The part of the thread that runs a program.
    own: Worker,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Workers for a plan, the calling thread one of them; none if the system gives no threads. `engine`
    /// makes engines that keep no account of written bytes; units are cut into parts of at least `grain` work
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
            bell: Condvar::new(),
            open: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            wraps: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            failed: Mutex::default(),
            panic: Mutex::default(),
        });
        let worker = |number| {
            // SAFETY: workers touch memory only while they execute a task for which all that it waits for has
            // been done: every earlier task of another worker that touches one of its bytes, one of the two
            // writing (`Schedule` goes through the bytes of all operations, of images through those between
            // taps, too). A later one waits for this task. `done` orders them: released when a task has been
            // executed, acquired before the next. Parts of one instruction write different bytes, and read
            // none that another part writes; nor do tiles whose order is free. The accumulators of fused
            // products are the worker's own. The session touches memory before the first call of `run_to`,
            // after `end`, and between the return of `run_to` and the next call, which raises the limit.
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

    /// Begins a run, which may stop at the ends of layers: workers wake up, and touch nothing before
    /// [`run_to`](Self::run_to).
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
        shared.bell.notify_all();
    }

    /// Executes the first `seq` instructions of the record, as far as they have not been; meanwhile does a
    /// bit of something `other` whenever it would have to wait, as long as there is more of it.
    ///
    /// # Errors
    /// The instruction and the fault that an engine reports.
    pub(in crate::sim) fn run_to(
        &mut self,
        seq: usize,
        other: &mut dyn FnMut() -> bool,
    ) -> Result<(), (u32, FaultKind)> {
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
                return lock(&self.shared.failed).take().map_or(Ok(()), Err);
            }
            match shared.one(&mut self.own) {
                Some(true) => {
                    idle = 0;
                    continue;
                }
                None if limits.iter().zip(&shared.done).all(|(l, d)| d.0.load(Ordering::Acquire) >= *l) => {
                    return Ok(());
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

    /// Ends the run, if one goes on: no worker touches memory any more. Gives the accumulations that wrapped.
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
        self.shared.bell.notify_all();
        for thread in self.threads.drain(..) {
            // Its panic was passed on when it happened.
            let _ = thread.join();
        }
    }
}
