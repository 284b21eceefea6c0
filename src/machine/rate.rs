//! A rate in bytes a cycle, exact to three decimals.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes in a cycle: a whole number, or one with at most three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// In thousandths of a byte a cycle.
    #[must_use]
    pub fn thousandths(self) -> u64 {
        self.0
    }

    /// A rate in thousandths of a byte a cycle.
    #[must_use]
    pub fn of_thousandths(thousandths: u64) -> Rate {
        Rate(thousandths)
    }

    /// As a number.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.to_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

/// Above any machine's rate; the machine's check says so by name.
const LARGEST: u64 = 1 << 40;

impl Visitor<'_> for Number {
    type Value = Rate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number with at most three decimals")
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Rate, E> {
        Ok(Rate(n.min(LARGEST) * 1000))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Rate, E> {
        u64::try_from(n).map_err(|_| E::custom("a rate is not negative")).and_then(|n| self.visit_u64(n))
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Rate, E> {
        let thousandths = (n * 1000.0).round();
        if !(0.0..=LARGEST as f64).contains(&n) || (thousandths / 1000.0 - n).abs() > 1e-9 * n.max(1.0) {
            return Err(E::custom("a rate has at most three decimals and is not negative"));
        }
        Ok(Rate(thousandths as u64))
    }
}
