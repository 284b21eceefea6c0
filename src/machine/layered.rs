//! Machine files that begin with another machine: `base = "rcn-m"`, and single fields that are set.

use serde::Deserialize;
use toml::{Table, Value};

use super::check::MachineError;
use super::memory::{self, MachineFile};
use crate::isa::ISA_VERSION;

/// One field with another value: `spm.bytes=1MiB`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    field: String,
    value: Value,
    /// As it was written.
    text: String,
}

impl Setting {
    /// Reads `FIELD=VALUE`. A value is a number, a number of KiB, MiB or GiB, or a name.
    ///
    /// # Errors
    /// [`MachineError::Setting`], without a field or a value.
    pub fn parse(text: &str) -> Result<Setting, MachineError> {
        let wrong = || MachineError::Setting { text: text.into() };
        let (field, value) = text.split_once('=').ok_or_else(wrong)?;
        let (field, value) = (field.trim(), value.trim());
        if field.is_empty() || value.is_empty() {
            return Err(wrong());
        }
        Ok(Setting {
            field: field.into(),
            value: number(value).unwrap_or_else(|| Value::String(value.into())),
            text: format!("{field}={value}"),
        })
    }

    /// Its field, `spm.bytes`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Its value as it was written, `1MiB`.
    #[must_use]
    pub fn value(&self) -> &str {
        self.text.split_once('=').map_or("", |(_, value)| value)
    }

    /// Its value, if that is a number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match &self.value {
            Value::Integer(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            Value::String(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                None
            }
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// `1024`, `12.5`, `1MiB`.
fn number(text: &str) -> Option<Value> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (digits, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), *shift)))
        .unwrap_or((text, 0));
    let digits = digits.replace('_', "");
    if let Ok(n) = digits.parse::<i64>() {
        return n.checked_mul(1 << shift).map(Value::Integer);
    }
    let n = digits.parse::<f64>().ok().filter(|n| n.is_finite())?;
    Some(if shift == 0 {
        Value::Float(n)
    } else {
        Value::Integer((n * f64::from(1 << shift)).round() as i64)
    })
}

/// Reads a machine file's text. With a base or settings the later go before the earlier: base, file,
/// settings.
///
/// # Errors
/// A file for another version of the instruction set, a base that is not shipped, a field that no machine
/// has.
pub(super) fn read(
    text: &str,
    shipped: impl Fn(&str) -> Result<&'static str, MachineError>,
    settings: &[Setting],
) -> Result<MachineFile, MachineError> {
    let mut own: Table = toml::from_str(text).map_err(|e| MachineError::syntax(text, &e))?;
    // First, since a file for another version lacks fields or has others.
    let version = own.get("isa_version").and_then(Value::as_integer).and_then(|v| u32::try_from(v).ok());
    if let Some(found) = version.filter(|v| *v != ISA_VERSION) {
        return Err(MachineError::IsaVersion { found, known: ISA_VERSION });
    }
    let base = own.remove("base");
    if base.is_none() && settings.is_empty() {
        // Only the text knows the lines of errors.
        return MachineFile::deserialize(Value::Table(own))
            .or_else(|_| toml::from_str(text).map_err(|e| MachineError::syntax(text, &e)));
    }
    let mut table = match &base {
        None => Table::new(),
        Some(Value::String(name)) => {
            let below = shipped(name)?;
            toml::from_str(below).map_err(|e| MachineError::syntax(below, &e))?
        }
        Some(_) => return Err(MachineError::Base),
    };
    lay(&mut table, own);
    for setting in settings {
        let mut path = setting.field.rsplit('.');
        let last = path.next().unwrap_or_default().to_string();
        let inner = Table::from_iter([(last, setting.value.clone())]);
        lay(
            &mut table,
            path.fold(inner, |inner, name| Table::from_iter([(name.into(), Value::Table(inner))])),
        );
    }
    if !settings.is_empty()
        && let Some(Value::String(name)) = table.get_mut("name")
    {
        for setting in settings {
            name.push_str(&format!(" {setting}"));
        }
    }
    MachineFile::deserialize(Value::Table(table))
        .map_err(|e| MachineError::Layered { message: e.to_string().trim().replace('\n', " ") })
}

/// Puts a table over another. Fields of a memory that is named here go before those of the table below.
fn lay(below: &mut Table, above: Table) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(Value::Table(under)), Value::Table(over)) => {
                if name == "dram" && over.contains_key("memory") {
                    under.retain(|field, _| !memory::GIVES.contains(&field));
                }
                lay(under, over);
            }
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::*;

    fn with(settings: &[&str]) -> Result<Machine, MachineError> {
        let settings = settings.iter().map(|s| Setting::parse(s)).collect::<Result<Vec<Setting>, _>>()?;
        Machine::named_with("rcn-m", &settings)
    }

    #[test]
    fn a_field_is_set_in_numbers_units_and_names() {
        let m = with(&["spm.bytes=1MiB", "dram.bytes_per_cycle=12.5", "clock_mhz=850"]).unwrap();
        assert_eq!((m.spm.bytes, m.dram.bytes_per_cycle.thousandths(), m.clock_mhz), (1 << 20, 12_500, 850));
        assert_eq!(m.name, "rcn-m spm.bytes=1MiB dram.bytes_per_cycle=12.5 clock_mhz=850");
        let named = with(&["dram.memory=lpddr5-6400"]).unwrap().dram;
        assert_eq!(named.bytes_per_cycle.thousandths(), 25_600, "the base's own rate is gone");
        let own = with(&["dram.memory=lpddr5-6400", "dram.banks=4"]).unwrap().dram;
        assert_eq!((own.bytes_per_cycle.thousandths(), own.banks), (25_600, 4));
    }

    #[test]
    fn a_file_says_what_differs_from_its_base() {
        let m =
            Machine::parse("base = \"rcn-s\"\nname = \"mine\"\n[host]\nstart_ns = 1000\n[vec]\nlanes = 8")
                .unwrap();
        let below = Machine::named("rcn-s").unwrap();
        assert_eq!((m.name.as_str(), m.vec.lanes, m.mac.clone()), ("mine", 8, below.mac.clone()));
        assert_eq!(m.host.clone().and_then(|h| h.start_ns), Some(1000));
        let slower = Machine { host: None, name: below.name.clone(), vec: below.vec.clone(), ..m };
        assert_eq!(slower, below);
    }

    #[test]
    fn what_cannot_be_set_is_named() {
        let of = |s: &str| with(&[s]).unwrap_err().to_string();
        assert!(of("spm.size=1").contains("size"), "{}", of("spm.size=1"));
        assert!(of("spm.bytes=much").contains("spm.bytes"), "{}", of("spm.bytes=much"));
        assert!(of("spm.bytes").contains("FIELD=VALUE"), "{}", of("spm.bytes"));
        assert!(of("spm.banks=65").contains("spm.banks = 65"), "{}", of("spm.banks=65"));
        let base = Machine::parse("base = \"rcn-x\"").unwrap_err().to_string();
        assert!(base.contains("rcn-x") && base.contains("rcn-s"), "{base}");
    }

    #[test]
    fn host_costs_do_not_make_another_machine_of_it() {
        let plain = Machine::named("rcn-m").unwrap();
        let with = Machine::parse("base = \"rcn-m\"\n[host]\nlayer_ns = 5").unwrap();
        assert_eq!(plain.hash(), with.hash());
        assert_ne!(plain, with);
    }
}
