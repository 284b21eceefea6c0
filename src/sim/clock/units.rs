//! One value for each unit; JSON documents have them by name.

use std::ops::{Index, IndexMut};

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
