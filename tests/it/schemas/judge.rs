//! A validator for the part of JSON Schema that the schemas of this tool use; it reports unknown keywords. It
//! is stricter than the standard in one respect: an object may have no property that its schema does not
//! list.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords without effect on validity.
const NOTES: [&str; 7] = ["$schema", "$id", "$defs", "title", "description", "default", "format"];

/// What is wrong with a value, one line each.
pub(super) fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut judge = Judge { root: schema, found: Vec::new() };
    judge.whole(schema, value, "$");
    judge.found
}

struct Judge<'a> {
    root: &'a Value,
    found: Vec<String>,
}

/// Properties that a schema lists.
type Told = BTreeSet<String>;

impl Judge<'_> {
    /// Validates a value with all schemas for it.
    fn whole(&mut self, schema: &Value, value: &Value, at: &str) {
        let told = self.part(schema, value, at);
        for name in value.as_object().into_iter().flat_map(Map::keys).filter(|name| !told.contains(*name)) {
            self.found.push(format!("{at}.{name}: the schema does not tell of it"));
        }
    }

    /// Validates a value with one of the schemas for it.
    fn part(&mut self, schema: &Value, value: &Value, at: &str) -> Told {
        let mut told = Told::new();
        let rules = match schema {
            Value::Bool(true) => return value.as_object().into_iter().flat_map(Map::keys).cloned().collect(),
            Value::Object(rules) => rules,
            other => panic!("{at}: {other} is no schema"),
        };
        for (key, rule) in rules.iter().filter(|(key, _)| !NOTES.contains(&key.as_str())) {
            let right = match key.as_str() {
                "$ref" => {
                    let place = rule.as_str().and_then(|r| r.strip_prefix('#')).unwrap();
                    let target = self.root.pointer(place).unwrap_or_else(|| panic!("{at}: no {rule}"));
                    told.extend(self.part(target, value, at));
                    true
                }
                "type" => match rule {
                    Value::Array(any) => any.iter().any(|t| is(t, value)),
                    one => is(one, value),
                },
                "const" => rule == value,
                "enum" => rule.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|v| v >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|v| v <= rule.as_f64().unwrap()),
                "minItems" => value.as_array().is_none_or(|v| v.len() as u64 >= rule.as_u64().unwrap()),
                "maxItems" => value.as_array().is_none_or(|v| v.len() as u64 <= rule.as_u64().unwrap()),
                "uniqueItems" => value.as_array().is_none_or(|v| {
                    v.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len() == v.len()
                }),
                "required" => value.as_object().is_none_or(|v| {
                    rule.as_array().unwrap().iter().all(|name| v.contains_key(name.as_str().unwrap()))
                }),
                "items" => {
                    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.whole(rule, item, &format!("{at}[{i}]"));
                    }
                    true
                }
                "properties" => {
                    for (name, rule) in rule.as_object().unwrap() {
                        told.insert(name.clone());
                        if let Some(value) = value.get(name) {
                            self.whole(rule, value, &format!("{at}.{name}"));
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let own = rules.get("properties").and_then(Value::as_object);
                    let others = value.as_object().into_iter().flatten();
                    for (name, value) in others.filter(|(n, _)| !own.is_some_and(|own| own.contains_key(*n)))
                    {
                        match rule {
                            // `whole` finds it.
                            Value::Bool(false) => {}
                            rule => {
                                told.insert(name.clone());
                                self.whole(rule, value, &format!("{at}.{name}"));
                            }
                        }
                    }
                    true
                }
                "allOf" => {
                    for rule in rule.as_array().unwrap() {
                        told.extend(self.part(rule, value, at));
                    }
                    true
                }
                "anyOf" | "oneOf" => {
                    let fits = self.alternatives(rule, value, at);
                    let right = if key == "oneOf" { fits.len() == 1 } else { !fits.is_empty() };
                    told.extend(fits.into_iter().flatten());
                    right
                }
                other => panic!("{at}: the keyword {other} is not known here"),
            };
            if !right {
                let mut shown = value.to_string();
                shown.truncate(shown.floor_char_boundary(200));
                self.found.push(format!("{at}: {key} {rule} does not hold of {shown}"));
            }
        }
        told
    }

    /// Properties listed by each alternative that holds.
    fn alternatives(&self, rule: &Value, value: &Value, at: &str) -> Vec<Told> {
        let one = |rule: &Value| {
            let mut judge = Judge { root: self.root, found: Vec::new() };
            let told = judge.part(rule, value, at);
            judge.found.is_empty().then_some(told)
        };
        rule.as_array().unwrap().iter().filter_map(one).collect()
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the type {other} is not known here"),
    }
}
