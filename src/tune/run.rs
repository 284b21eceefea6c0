//! The search: the order of measurements, and the choice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::TuneError;
use super::item::{Item, choice_with};
use super::kept::Reporter;
use super::measure::Candidate;
use super::search::{Goal, Search};
use super::sensitivity::{Bench, float_run};
use super::state::{Point, State};
use super::tuned::{Evaluation, Metric, Tuned};
use crate::onnx::proto::ModelProto;
use crate::quantize::{self, Choice, Method, Outputs};

/// Inputs on which single items are measured.
const FEW: usize = 4;
/// Prefixes of the order that are measured for the plot, before the search between them.
const STEPS: usize = 6;
/// How many raised items are tried to be returned to 8 bits.
const RETURNS: usize = 12;

impl Search<'_> {
    /// Finds the widths. `state` is that of an earlier run: its measurements are used if it has the same
    /// [key](Search::key).
    ///
    /// # Errors
    /// A model cannot be quantized, compiled or run; labels do not fit the inputs or the network.
    pub fn run(&self, state: State, watch: &dyn Reporter) -> Result<Tuned, TuneError> {
        self.check()?;
        let key = self.key();
        let state = if state.key == key { state } else { State { key, ..State::default() } };
        let reference = float_run(&self.calibrated.engine, &self.calibrated.clean.model, self.inputs)?;
        if let Some(labels) = self.labels {
            check_labels(&reference, labels)?;
        }
        Run { search: self, watch, reference, state: Mutex::new(state), methods: BTreeMap::new() }.run()
    }
}

struct Run<'a> {
    search: &'a Search<'a>,
    watch: &'a dyn Reporter,
    reference: Outputs,
    state: Mutex<State>,
    /// Tensors in 8 bits for which another calibration method than the default one is best.
    methods: BTreeMap<String, Method>,
}

impl Run<'_> {
    fn run(&mut self) -> Result<Tuned, TuneError> {
        let items = Item::all(&self.search.calibrated.places);
        let items: Vec<Item> = items.into_iter().filter(|i| self.is_seen(i)).collect();
        let noise = self.noises(&items)?;
        let plain = self.evaluate_choice("plain", &BTreeSet::new(), &self.plain_choice())?;
        let costs = self.costs(&items)?;
        // Items whose raising would move a layer to the host stay in 8 bits.
        let mut order: Vec<(Item, f64, u64)> = items
            .iter()
            .filter_map(|i| Some((i.clone(), noise.get(i).copied()?, costs.get(i).copied()??)))
            .collect();
        order.sort_by(|a, b| (b.1 / b.2 as f64).total_cmp(&(a.1 / a.2 as f64)).then_with(|| a.0.cmp(&b.0)));
        self.watch.begin("searching", STEPS + RETURNS + 10);
        let wide = self.evaluate("all in 16 bits", &self.first(&order, order.len()))?;
        let target = match self.search.goal {
            Goal::Sqnr(db) => db,
            Goal::Top1(share) => share,
            Goal::Default => (plain.value + 20.0).min(wide.value - 1.0),
        };
        let limit = self.search.max_cycles.map(|p| (plain.point.cycles as f64 * (1.0 + p)) as u64);
        let allowed = |e: &Evaluation| limit.is_none_or(|l| e.point.cycles <= l);
        let ends: BTreeSet<usize> = (0..=STEPS).map(|i| order.len() * i * i / (STEPS * STEPS)).collect();
        let mut known: BTreeMap<usize, Evaluation> = BTreeMap::new();
        for end in ends {
            known.insert(end, self.prefix(&order, end)?);
        }
        // Between the last prefix that misses the goal and the first that reaches it.
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
            // Fewer items in 16 bits for the same cycles are better, too.
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
            choice: choice_with(
                &self.search.calibrated.choice,
                &raised,
                &self.search.calibrated.places,
                &self.methods,
            ),
            methods: methods.collect(),
            plain,
            wide,
            best,
            target,
            reached,
            tried,
            order,
            metric: self.metric(),
        })
    }

    fn is_seen(&self, item: &Item) -> bool {
        match item {
            Item::Tensor(name) => self.search.calibrated.seen.contains_key(name),
            Item::Weights(_) => true,
        }
    }

    fn plain_choice(&self) -> Choice {
        choice_with(
            &self.search.calibrated.choice,
            &BTreeSet::new(),
            &self.search.calibrated.places,
            &BTreeMap::new(),
        )
    }

    fn first(&self, order: &[(Item, f64, u64)], n: usize) -> BTreeSet<Item> {
        order.iter().take(n).map(|o| o.0.clone()).collect()
    }

    fn prefix(&self, order: &[(Item, f64, u64)], n: usize) -> Result<Evaluation, TuneError> {
        self.evaluate(&format!("first {n}"), &self.first(order, n))
    }

    /// The noise of each item in 8 bits; for tensors that of the best calibration method, which is recorded.
    fn noises(&mut self, items: &[Item]) -> Result<BTreeMap<Item, f64>, TuneError> {
        let few = &self.search.inputs[..self.search.inputs.len().min(FEW)];
        let reference: Outputs = self.reference.iter().take(few.len()).cloned().collect();
        let bench = Bench {
            engine: &self.search.calibrated.engine,
            clean: &self.search.calibrated.clean.model,
            places: &self.search.calibrated.places,
            seen: &self.search.calibrated.seen,
            choice: &self.search.calibrated.choice,
            inputs: few,
            reference: &reference,
        };
        let mut wanted: Vec<(Item, Method)> = Vec::new();
        for item in items {
            match item {
                Item::Tensor(_) => wanted.extend(self.search.methods.iter().map(|m| (item.clone(), *m))),
                Item::Weights(_) => wanted.push((item.clone(), self.search.calibrated.choice.method)),
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
                && *method != self.search.calibrated.choice.method
            {
                self.methods.insert(name.clone(), *method);
            }
        }
        Ok(best.into_iter().map(|(item, (noise, _))| (item, noise)).collect())
    }

    /// The cycles that 16 bits cost for each item, with everything else in 8 bits; at least one.
    fn costs(&self, items: &[Item]) -> Result<BTreeMap<Item, Option<u64>>, TuneError> {
        self.watch.begin("asking the clock", items.len());
        let base = self.compiled(&choice_with(
            &self.search.calibrated.choice,
            &BTreeSet::new(),
            &self.search.calibrated.places,
            &self.methods,
        ))?;
        self.each(items, |item| {
            if self.locked(|s| s.cycles.contains_key(&item.text())) {
                return Ok(());
            }
            let raised = BTreeSet::from([item.clone()]);
            let choice = choice_with(
                &self.search.calibrated.choice,
                &raised,
                &self.search.calibrated.places,
                &self.methods,
            );
            // A model that cannot be compiled is not a candidate.
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

    /// Calls `f` for all items of a list on all threads. Stops at the first error.
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
            for _ in 1..self.search.threads.clamp(1, list.len().max(1)) {
                scope.spawn(worker);
            }
            worker();
        });
        failed.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn locked<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        // A poisoned lock means that another worker panicked; its entries are complete.
        f(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn model(&self, choice: &Choice) -> Result<ModelProto, TuneError> {
        let graph = self.search.calibrated.clean.model.graph.as_ref();
        let graph = graph.ok_or_else(|| TuneError::Run("the model has no graph".into()))?;
        let parameters =
            quantize::choose(graph, &self.search.calibrated.places, &self.search.calibrated.seen, choice)?;
        Ok(quantize::write(&self.search.calibrated.clean.model, &self.search.calibrated.places, &parameters)?)
    }

    fn compiled(&self, choice: &Choice) -> Result<Candidate, TuneError> {
        Candidate::compile(
            &self.model(choice)?,
            self.search.machine,
            &self.search.import,
            &self.search.compile,
        )
    }

    fn evaluate(&self, what: &str, raised: &BTreeSet<Item>) -> Result<Evaluation, TuneError> {
        let choice = choice_with(
            &self.search.calibrated.choice,
            raised,
            &self.search.calibrated.places,
            &self.methods,
        );
        self.evaluate_choice(what, raised, &choice)
    }

    /// Measures a whole model, unless it is in the state.
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
        let found = candidate.run(self.search.inputs, self.search.threads)?;
        let point = Point {
            what: what.into(),
            raised: raised.iter().cloned().collect(),
            sqnr: quantize::sqnr(&self.reference, &found),
            top1: self.search.labels.map(|labels| top1(&found, labels)),
            cycles: candidate.cycles(),
        };
        self.locked(|s| {
            s.points.insert(key, point.clone());
            self.watch.step(s);
        });
        Ok(self.valued(point))
    }

    fn valued(&self, point: Point) -> Evaluation {
        Evaluation { value: self.metric().value(&point), point }
    }

    fn metric(&self) -> Metric {
        match self.search.goal {
            Goal::Top1(_) => Metric::Top1,
            Goal::Default | Goal::Sqnr(_) => Metric::Sqnr,
        }
    }

    fn measured(&self) -> Vec<Evaluation> {
        let points: Vec<Point> = self.locked(|s| s.points.values().cloned().collect());
        points.into_iter().map(|p| self.valued(p)).collect()
    }
}

/// The output with the classes: the first one with more than one value.
fn classes(outputs: &BTreeMap<String, Vec<f32>>) -> Option<&Vec<f32>> {
    outputs.values().find(|v| v.len() > 1)
}

/// Refuses labels that the network has no class for.
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
        // The first of equal values.
        let best = (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b]));
        best == Some(**label)
    });
    right.count() as f64 / labels.len().max(1) as f64
}
