//! Programs as files and as text.

use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::{Program, text};
use xxhash_rust::xxh3::xxh3_64;

use super::super::mutate::container::mend;
use super::super::{Proof, Reached};
use super::{execute, said};

/// A program file is read or refused, as it is and with its checksum mended.
pub(crate) fn reads(bytes: &[u8]) -> Proof {
    let as_it_is = read(bytes)?;
    Ok(if read_mended(bytes)?.is_some() || as_it_is.is_some() { Reached::Read } else { Reached::Refused })
}

/// A program file with its checksum mended runs, or the load says why not.
pub(crate) fn runs(bytes: &[u8]) -> Proof {
    let Some(program) = read_mended(bytes)? else { return Ok(Reached::Refused) };
    run(program, bytes)
}

/// A text is assembled or refused, and what is assembled runs.
pub(crate) fn assembles(bytes: &[u8]) -> Proof {
    // Text that is not UTF-8 is refused when it is read.
    let Ok(source) = std::str::from_utf8(bytes) else { return Ok(Reached::Refused) };
    match text::assemble(source) {
        Ok(program) => {
            // Whether tables fit each other is found when the file is written.
            if let Err(e) = program.validate() {
                return said(&e.to_string()).map(|()| Reached::Refused);
            }
            trips(&program)?;
            run(program, bytes)
        }
        Err(errors) => {
            said(&errors.to_string())?;
            said(&errors.render(source, "m.s"))?;
            Ok(Reached::Refused)
        }
    }
}

fn run(program: Program, bytes: &[u8]) -> Proof {
    let Ok(machine) = Machine::named(&program.meta.machine.name) else { return Ok(Reached::Read) };
    let ran = execute::any(program, &machine, xxh3_64(bytes))?;
    Ok(if ran { Reached::Ran } else { Reached::Read })
}

fn read_mended(bytes: &[u8]) -> Result<Option<Program>, String> {
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    read(&mended)
}

fn read(bytes: &[u8]) -> Result<Option<Program>, String> {
    match Program::from_bytes(bytes) {
        Ok(program) => trips(&program).map(|()| Some(program)),
        Err(e) => said(&e.to_string()).map(|()| None),
    }
}

/// A program goes through its file and through text, and comes back as it was.
pub(super) fn trips(program: &Program) -> Result<(), String> {
    let file = program.to_bytes().map_err(|e| format!("a program that was read cannot be written: {e}"))?;
    let again =
        Program::from_bytes(&file).map_err(|e| format!("a program that was written cannot be read: {e}"))?;
    if again != *program {
        return Err("the program file holds another program".into());
    }
    let printed = text::disassemble(program);
    match text::assemble(&printed) {
        Ok(again) if again == *program => Ok(()),
        Ok(_) => Err("its text is that of another program".into()),
        Err(e) => Err(format!("its text cannot be assembled: {e}")),
    }
}
