//! Changes of JSON values: one part somewhere inside.

use serde_json::{Map, Value};

use super::super::random::Random;
use super::values::{FLOATS, INTEGERS, NAMES, near};

/// The JSON document with one part of it changed; as it is if it is none.
pub(crate) fn document(random: &mut Random, text: &[u8]) -> Vec<u8> {
    match serde_json::from_slice(text) {
        Ok(mut value) => {
            change(random, &mut value);
            serde_json::to_vec(&value).unwrap_or_default()
        }
        Err(_) => text.to_vec(),
    }
}

fn change(random: &mut Random, value: &mut Value) {
    let inside = !random.one_in(20);
    match value {
        Value::Object(fields) if inside && !fields.is_empty() => object(random, fields),
        Value::Array(list) if inside && !list.is_empty() => array(random, list),
        Value::Number(number) if random.one_in(2) && number.is_i64() => {
            *value = near(random, number.as_i64().unwrap_or(0)).into();
        }
        Value::String(text) if inside => *text = random.pick(NAMES).into(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            *value = match random.below(8) {
                0 => Value::Null,
                1 => Value::Bool(random.one_in(2)),
                2 => Value::Array(Vec::new()),
                3 => Value::Object(Map::new()),
                4 => Value::from(f64::from(random.pick(FLOATS))),
                5 => Value::from(u64::MAX),
                _ => random.pick(INTEGERS).into(),
            };
        }
    }
}

fn object(random: &mut Random, fields: &mut Map<String, Value>) {
    let keys: Vec<String> = fields.keys().cloned().collect();
    let key = &keys[random.below(keys.len())];
    match random.below(30) {
        0 => drop(fields.remove(key)),
        1 => {
            let held = fields[key].clone();
            fields.insert(random.pick(NAMES).into(), held);
        }
        _ => {
            if let Some(inner) = fields.get_mut(key) {
                change(random, inner);
            }
        }
    }
}

fn array(random: &mut Random, list: &mut Vec<Value>) {
    let at = random.below(list.len());
    match random.below(14) {
        0 => drop(list.remove(at)),
        1 => list.insert(at, list[at].clone()),
        2 => random.shuffle(list),
        _ => change(random, &mut list[at]),
    }
}
