//! The search for the least that must have 16 bits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::TuneError;
use super::item::{Item, choice_with};
use super::measure::Candidate;
use super::sensitivity::{Bench, float_run};
use super::state::{Point, State};
use crate::compiler::CompileOptions;
use crate::float::Engine;
use crate::inputs::Sample;
use crate::machine::Machine;
use crate::onnx::ImportOptions;
use crate::onnx::proto::ModelProto;
use crate::quantize::{self, Calibration, Choice, Method, Outputs, Places};

/// Inputs on which single items are measured.
const FEW: usize = 4;
/// Beginnings of the order that are measured for the picture, before the search between them.
const STEPS: usize = 6;
/// How often something raised is tried to be given back.
const RETURNS: usize = 12;

/// How good the result must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// 20 dB more than everything in 8 bits, or 1 dB less than everything in 16, whichever is less.
    Default,
    /// Signal-to-noise ratio at the outputs, in dB.
    Sqnr(f64),
    /// Share of labelled inputs that are classified rightly.
    Top1(f64),
}

/// What is to be tuned.
#[derive(Debug)]
pub struct Task<'a> {
    /// Digest of everything that the results depend on.
    pub key: String,
    /// The [cleaned](quantize::clean) float network.
    pub clean: &'a ModelProto,
    /// Where its quantizers stand.
    pub places: &'a Places,
    /// What calibration saw.
    pub seen: &'a Calibration,
    /// Format, weights per channel or tensor, and the method that a plain quantization would use.
    pub choice: &'a Choice,
    /// Methods to choose from, for each tensor that stays in 8 bits.
    pub methods: Vec<Method>,
    /// Inputs on which whole models are measured.
    pub inputs: &'a [Sample],
    /// The class of each input, for the metric top-1.
    pub labels: Option<&'a [usize]>,
    /// What runs the float network.
    pub engine: Engine,
    /// The machine.
    pub machine: &'a Machine,
    /// How models are imported.
    pub import: ImportOptions,
    /// How models are compiled.
    pub compile: CompileOptions,
    /// How good the result must be.
    pub goal: Goal,
    /// How many more cycles than everything in 8 bits are allowed: 0.2 is 20 %.
    pub max_cycles: Option<f64>,
    /// Threads.
    pub threads: usize,
}

/// A model that was measured, and the value that counts for the goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What was measured.
    pub point: Point,
    /// In dB, or a share.
    pub value: f64,
}

/// The result of tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// Everything in 8 bits, with the plain method everywhere.
    pub plain: Evaluation,
    /// Everything in 16 bits.
    pub wide: Evaluation,
    /// The choice that was made.
    pub best: Evaluation,
    /// What to quantize it with.
    pub choice: Choice,
    /// The value that had to be reached.
    pub target: f64,
    /// Whether it was.
    pub reached: bool,
    /// Tensors in 8 bits whose method is another than the plain one.
    pub methods: BTreeMap<String, Method>,
    /// All models that were measured, in the order of cycles.
    pub tried: Vec<Point>,
    /// Items in the order in which they would be raised: noise in 8 bits, and cycles that 16 bits cost.
    pub order: Vec<(Item, f64, u64)>,
}

/// What the search reports while it works, and where it keeps what it measured.
pub trait Reporter: Sync {
    /// A part of the work begins, of so many steps.
    fn begin(&self, what: &'static str, steps: usize);
    /// A step is done; here is everything that is known.
    fn step(&self, state: &State);
}

impl Reporter for () {
    fn begin(&self, _: &'static str, _: usize) {}
    fn step(&self, _: &State) {}
}

struct Search<'a> {
    task: &'a Task<'a>,
    watch: &'a dyn Reporter,
    reference: Outputs,
    state: Mutex<State>,
    methods: BTreeMap<String, Method>,
}

/// Tunes a network. `state` is what an earlier run with the same key measured, or empty.
///
/// # Errors
/// A model cannot be quantized, compiled or run.
pub fn tune(task: &Task<'_>, state: State, watch: &dyn Reporter) -> Result<Tuned, TuneError> {
    let state =
        if state.key == task.key { state } else { State { key: task.key.clone(), ..State::default() } };
    let reference = float_run(&task.engine, task.clean, task.inputs)?;
    if let Some(labels) = task.labels {
        check_labels(&reference, labels)?;
    }
    let mut search = Search { task, watch, reference, state: Mutex::new(state), methods: BTreeMap::new() };
    search.run()
}

impl Search<'_> {
    fn run(&mut self) -> Result<Tuned, TuneError> {
        let items = Item::all(self.task.places);
        let items: Vec<Item> = items.into_iter().filter(|i| self.is_seen(i)).collect();
        let noise = self.noises(&items)?;
        let plain = self.evaluate_choice("plain", &BTreeSet::new(), &self.plain_choice())?;
        let costs = self.costs(&items)?;
        // What would move a layer to the host is left in 8 bits.
        let mut order: Vec<(Item, f64, u64)> = items
            .iter()
            .filter_map(|i| Some((i.clone(), noise.get(i).copied()?, costs.get(i).copied()??)))
            .collect();
        order.sort_by(|a, b| (b.1 / b.2 as f64).total_cmp(&(a.1 / a.2 as f64)).then_with(|| a.0.cmp(&b.0)));
        self.watch.begin("searching", STEPS + RETURNS + 10);
        let wide = self.evaluate("all in 16 bits", &self.first(&order, order.len()))?;
        let target = match self.task.goal {
            Goal::Sqnr(db) => db,
            Goal::Top1(share) => share,
            Goal::Default => (plain.value + 20.0).min(wide.value - 1.0),
        };
        let limit = self.task.max_cycles.map(|p| (plain.point.cycles as f64 * (1.0 + p)) as u64);
        let allowed = |e: &Evaluation| limit.is_none_or(|l| e.point.cycles <= l);
        let ends: BTreeSet<usize> = (0..=STEPS).map(|i| order.len() * i * i / (STEPS * STEPS)).collect();
        let mut known: BTreeMap<usize, Evaluation> = BTreeMap::new();
        for end in ends {
            known.insert(end, self.prefix(&order, end)?);
        }
        // Between the last beginning that is not good enough and the first that is.
        let good = |e: &Evaluation| e.value >= target;
        let mut high = known.iter().find(|(_, e)| good(e)).map(|(n, _)| *n);
        while let Some(end) = high {
            let low = known.range(..end).next_back().map_or(end, |(n, _)| *n);
            if end - low <= 1 || low == end {
                break;
            }
            let middle = low.midpoint(end);
            let e = self.prefix(&order, middle)?;
            if good(&e) {
                high = Some(middle);
            }
            known.insert(middle, e);
        }
        let mut raised = self.first(&order, high.unwrap_or(order.len()));
        let mut best = self.evaluate("search", &raised)?;
        let returned: Vec<&(Item, f64, u64)> = order.iter().filter(|o| raised.contains(&o.0)).collect();
        let mut dear: Vec<&(Item, f64, u64)> = returned.into_iter().rev().take(RETURNS).collect();
        dear.sort_by_key(|o| std::cmp::Reverse(o.2));
        for (item, _, _) in dear {
            let mut fewer = raised.clone();
            fewer.remove(item);
            let e = self.evaluate("less one", &fewer)?;
            // Fewer in 16 bits for the same cycles is better, too.
            if good(&e) && e.point.cycles <= best.point.cycles {
                (raised, best) = (fewer, e);
            }
        }
        if !allowed(&best) || !good(&best) {
            let measured = self.measured();
            let value = |e: &Evaluation| e.value;
            let fits = measured.into_iter().filter(|e| allowed(e) && e.point.what != "plain");
            if let Some(e) = fits.max_by(|a, b| value(a).total_cmp(&value(b))) {
                raised = e.point.raised.iter().cloned().collect();
                best = e;
            }
        }
        let reached = good(&best) && allowed(&best);
        let mut tried: Vec<Point> = self.measured().into_iter().map(|e| e.point).collect();
        tried.sort_by(|a, b| a.cycles.cmp(&b.cycles).then(a.sqnr.total_cmp(&b.sqnr)));
        let methods = self
            .methods
            .iter()
            .filter(|(t, _)| !raised.contains(&Item::Tensor((*t).clone())))
            .map(|(t, m)| (t.clone(), *m));
        Ok(Tuned {
            choice: choice_with(self.task.choice, &raised, self.task.places, &self.methods),
            methods: methods.collect(),
            plain,
            wide,
            best,
            target,
            reached,
            tried,
            order,
        })
    }

    fn is_seen(&self, item: &Item) -> bool {
        match item {
            Item::Tensor(name) => self.task.seen.contains_key(name),
            Item::Weights(_) => true,
        }
    }

    fn plain_choice(&self) -> Choice {
        choice_with(self.task.choice, &BTreeSet::new(), self.task.places, &BTreeMap::new())
    }

    fn first(&self, order: &[(Item, f64, u64)], n: usize) -> BTreeSet<Item> {
        order.iter().take(n).map(|o| o.0.clone()).collect()
    }

    fn prefix(&self, order: &[(Item, f64, u64)], n: usize) -> Result<Evaluation, TuneError> {
        self.evaluate(&format!("first {n}"), &self.first(order, n))
    }

    /// The noise of each item in 8 bits; for tensors that of the best method, which is remembered.
    fn noises(&mut self, items: &[Item]) -> Result<BTreeMap<Item, f64>, TuneError> {
        let few = &self.task.inputs[..self.task.inputs.len().min(FEW)];
        let reference: Outputs = self.reference.iter().take(few.len()).cloned().collect();
        let bench = Bench {
            engine: &self.task.engine,
            clean: self.task.clean,
            places: self.task.places,
            seen: self.task.seen,
            choice: self.task.choice,
            inputs: few,
            reference: &reference,
        };
        let mut wanted: Vec<(Item, Method)> = Vec::new();
        for item in items {
            match item {
                Item::Tensor(_) => wanted.extend(self.task.methods.iter().map(|m| (item.clone(), *m))),
                Item::Weights(_) => wanted.push((item.clone(), self.task.choice.method)),
            }
        }
        self.watch.begin("measuring noise", wanted.len());
        let name = |(item, method): &(Item, Method)| match item {
            Item::Tensor(_) => format!("{} {}", item.text(), method.name()),
            Item::Weights(_) => item.text(),
        };
        self.each(&wanted, |one| {
            if self.locked(|s| s.noise.contains_key(&name(one))) {
                return Ok(());
            }
            let found = bench.noise(&one.0, one.1)?;
            self.locked(|s| s.noise.insert(name(one), found));
            Ok(())
        })?;
        let mut best: BTreeMap<Item, (f64, Method)> = BTreeMap::new();
        for one in &wanted {
            let Some(found) = self.locked(|s| s.noise.get(&name(one)).copied()) else { continue };
            let entry = best.entry(one.0.clone()).or_insert((f64::INFINITY, one.1));
            if found < entry.0 {
                *entry = (found, one.1);
            }
        }
        for (item, (_, method)) in &best {
            if let Item::Tensor(name) = item
                && *method != self.task.choice.method
            {
                self.methods.insert(name.clone(), *method);
            }
        }
        Ok(best.into_iter().map(|(item, (noise, _))| (item, noise)).collect())
    }

    /// The cycles that 16 bits cost each item, beside everything else in 8. At least one.
    fn costs(&self, items: &[Item]) -> Result<BTreeMap<Item, Option<u64>>, TuneError> {
        self.watch.begin("asking the clock", items.len());
        let base =
            self.compiled(&choice_with(self.task.choice, &BTreeSet::new(), self.task.places, &self.methods))?;
        self.each(items, |item| {
            if self.locked(|s| s.cycles.contains_key(&item.text())) {
                return Ok(());
            }
            let raised = BTreeSet::from([item.clone()]);
            let choice = choice_with(self.task.choice, &raised, self.task.places, &self.methods);
            // A form that cannot be compiled is no candidate.
            let cycles = match self.compiled(&choice) {
                Ok(c) if c.hosts <= base.hosts => Some(c.cycles()),
                Ok(_) | Err(TuneError::Compile(_)) => None,
                Err(e) => return Err(e),
            };
            self.locked(|s| s.cycles.insert(item.text(), cycles));
            Ok(())
        })?;
        let cost = |item: &Item| {
            let cycles = self.locked(|s| s.cycles.get(&item.text()).copied().flatten());
            cycles.map(|c| c.saturating_sub(base.cycles()).max(1))
        };
        Ok(items.iter().map(|i| (i.clone(), cost(i))).collect())
    }

    /// Works through a list on all threads. Stops at the first error.
    fn each<T: Sync>(
        &self,
        list: &[T],
        work: impl Fn(&T) -> Result<(), TuneError> + Sync,
    ) -> Result<(), TuneError> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<TuneError>> = Mutex::default();
        let worker = || {
            while let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(e) = work(one) {
                    next.store(list.len(), Ordering::Relaxed);
                    if let Ok(mut failed) = failed.lock() {
                        *failed = Some(e);
                    }
                    return;
                }
                self.locked(|s| self.watch.step(s));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.task.threads.clamp(1, list.len().max(1)) {
                scope.spawn(worker);
            }
            worker();
        });
        failed.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn locked<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        // A poisoned lock means that another worker panicked; what it left is whole entries.
        f(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn model(&self, choice: &Choice) -> Result<ModelProto, TuneError> {
        let graph = self.task.clean.graph.as_ref();
        let graph = graph.ok_or_else(|| TuneError::Run("the model has no graph".into()))?;
        let parameters = quantize::choose(graph, self.task.places, self.task.seen, choice)?;
        Ok(quantize::write(self.task.clean, self.task.places, &parameters)?)
    }

    fn compiled(&self, choice: &Choice) -> Result<Candidate, TuneError> {
        Candidate::compile(&self.model(choice)?, self.task.machine, &self.task.import, &self.task.compile)
    }

    fn evaluate(&self, what: &str, raised: &BTreeSet<Item>) -> Result<Evaluation, TuneError> {
        let choice = choice_with(self.task.choice, raised, self.task.places, &self.methods);
        self.evaluate_choice(what, raised, &choice)
    }

    /// Measures a whole model, unless that was done before.
    fn evaluate_choice(
        &self,
        what: &str,
        raised: &BTreeSet<Item>,
        choice: &Choice,
    ) -> Result<Evaluation, TuneError> {
        let mut key: Vec<String> = raised.iter().map(Item::text).collect();
        if what == "plain" {
            key.push("plain".into());
        }
        let key = key.join("; ");
        if let Some(point) = self.locked(|s| s.points.get(&key).cloned()) {
            return Ok(self.valued(point));
        }
        let candidate = self.compiled(choice)?;
        let found = candidate.run(self.task.inputs, self.task.threads)?;
        let point = Point {
            what: what.into(),
            raised: raised.iter().cloned().collect(),
            sqnr: quantize::sqnr(&self.reference, &found),
            top1: self.task.labels.map(|labels| top1(&found, labels)),
            cycles: candidate.cycles(),
        };
        self.locked(|s| {
            s.points.insert(key, point.clone());
            self.watch.step(s);
        });
        Ok(self.valued(point))
    }

    fn valued(&self, point: Point) -> Evaluation {
        let value = match (self.task.goal, point.top1) {
            (Goal::Top1(_), Some(share)) => share,
            _ => point.sqnr,
        };
        Evaluation { point, value }
    }

    fn measured(&self) -> Vec<Evaluation> {
        let points: Vec<Point> = self.locked(|s| s.points.values().cloned().collect());
        points.into_iter().map(|p| self.valued(p)).collect()
    }
}

/// What of a network's outputs says the class: the first one with more than one value.
fn classes(outputs: &BTreeMap<String, Vec<f32>>) -> Option<&Vec<f32>> {
    outputs.values().find(|v| v.len() > 1)
}

/// Refuses labels that no network could give.
fn check_labels(reference: &Outputs, labels: &[usize]) -> Result<(), TuneError> {
    for (at, (outputs, label)) in reference.iter().zip(labels).enumerate() {
        match classes(outputs).map(Vec::len) {
            Some(count) if *label < count => {}
            Some(count) => {
                let why = format!("input {at} has class {label}, the network has {count}, from 0");
                return Err(TuneError::Label(why));
            }
            None => return Err(TuneError::Label("no output of the network is a list of classes".into())),
        }
    }
    Ok(())
}

/// The share of inputs whose largest output is their label.
fn top1(found: &Outputs, labels: &[usize]) -> f64 {
    let right = found.iter().zip(labels).filter(|(outputs, label)| {
        let Some(values) = classes(outputs) else { return false };
        // Of equal ones the first.
        let best = (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b]));
        best == Some(**label)
    });
    right.count() as f64 / labels.len().max(1) as f64
}
