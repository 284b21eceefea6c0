//! The machine that a program is for.

use super::Program;
use crate::machine::Machine;

/// A program and a machine that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The program's machine does not ship with this tool, and none was given.
    #[error("the program is for machine '{name}', which is not shipped")]
    NotShipped {
        /// The program's machine.
        name: String,
    },
    /// Another machine.
    #[error("the program is for the machine {wanted}, this is {found}")]
    Another {
        /// The program's machine.
        wanted: String,
        /// The given machine.
        found: String,
    },
    /// A machine of the same name with other fields.
    #[error("the program is for {wanted} with hash {}, this is {found} with hash {}", hashes[0], hashes[1])]
    Changed {
        /// The program's machine.
        wanted: String,
        /// The available machine.
        found: String,
        /// The program's hash, and the machine's.
        hashes: [String; 2],
    },
}

impl Program {
    /// The machine that the program was made for: the shipped one of that name, or the one given, if its hash
    /// is the program's.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn target(&self, given: Option<Machine>) -> Result<Machine, TargetError> {
        let id = &self.meta.machine;
        let machine = match given {
            Some(machine) if machine.name != id.name => {
                return Err(TargetError::Another { wanted: id.name.clone(), found: machine.name });
            }
            Some(machine) => machine,
            None => {
                Machine::named(&id.name).map_err(|_| TargetError::NotShipped { name: id.name.clone() })?
            }
        };
        let hash = format!("{:016x}", machine.hash());
        if hash != id.hash {
            let hashes = [id.hash.clone(), hash];
            return Err(TargetError::Changed { wanted: id.name.clone(), found: machine.name, hashes });
        }
        Ok(machine)
    }
}
