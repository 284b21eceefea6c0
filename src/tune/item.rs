//! What can be raised from 8 to 16 bits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::quantize::{Choice, Method, Places, Width};

/// A tensor, with all that share its parameters, or the weights of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Item {
    /// By name of the float value.
    Tensor(String),
    /// By name of the node.
    Weights(String),
}

impl Item {
    /// All items of a network, in its order.
    #[must_use]
    pub fn all(places: &Places) -> Vec<Item> {
        let tensors = places.own().map(|t| Item::Tensor(t.into()));
        tensors.chain(places.weights.iter().map(|w| Item::Weights(w.node.clone()))).collect()
    }

    /// `tensor NAME` or `weights of NODE`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Item::Tensor(name) => format!("tensor {name}"),
            Item::Weights(node) => format!("weights of {node}"),
        }
    }
}

/// The choice with these items in 16 bits and the rest in 8; tensors have the given calibration methods.
pub(super) fn choice_with(
    base: &Choice,
    raised: &BTreeSet<Item>,
    places: &Places,
    methods: &BTreeMap<String, Method>,
) -> Choice {
    let mut choice = Choice { bits: BTreeMap::new(), layers: BTreeMap::new(), ..base.clone() };
    (choice.format.bits, choice.weights.bits) = (8, 8);
    for (tensor, method) in methods {
        if !raised.contains(&Item::Tensor(tensor.clone())) {
            choice.methods.insert(tensor.clone(), *method);
        }
    }
    for item in raised {
        if let Item::Tensor(name) = item {
            choice.bits.insert(name.clone(), 16);
        }
    }
    // A layer's entry raises its tensors too, so each of these has an entry of its own.
    let wide: Vec<&String> =
        raised.iter().filter_map(|i| if let Item::Weights(node) = i { Some(node) } else { None }).collect();
    if !wide.is_empty() {
        for tensor in places.own() {
            choice.bits.entry(tensor.into()).or_insert(8);
        }
        choice.layers.extend(wide.into_iter().map(|node| (node.clone(), Width::A16w16)));
    }
    choice
}
