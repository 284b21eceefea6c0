//! One value for each unit; JSON documents have them by name.

use std::borrow::Cow;
use std::ops::{Index, IndexMut};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::isa::Queue;

/// One value for each unit: dmain, dmaout, mac, vec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units<T>(pub [T; 4]);

impl<T> Units<T> {
    /// The values, with their units.
    pub fn iter(&self) -> impl Iterator<Item = (Queue, &T)> + '_ {
        Queue::ALL.into_iter().zip(&self.0)
    }

    /// Applies `f` to each value.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Units<U> {
        Units(self.0.map(f))
    }
}

impl<T> Index<Queue> for Units<T> {
    type Output = T;

    fn index(&self, queue: Queue) -> &T {
        &self.0[queue.index()]
    }
}

impl<T> IndexMut<Queue> for Units<T> {
    fn index_mut(&mut self, queue: Queue) -> &mut T {
        &mut self.0[queue.index()]
    }
}

impl<T: Serialize> Serialize for Units<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Queue::ALL.len()))?;
        for (queue, value) in self.iter() {
            map.serialize_entry(queue.name(), value)?;
        }
        map.end()
    }
}

impl<T: JsonSchema> JsonSchema for Units<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("UnitsOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        named("One value for each unit.", &Queue::ALL.map(Queue::name), &value)
    }
}

/// The schema of an object with these keys, whose values all have one schema.
pub(super) fn named(description: &str, names: &[&str], value: &Schema) -> Schema {
    let properties: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|name| (name.to_string(), value.clone().to_value())).collect();
    schemars::json_schema!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": names,
    })
}
