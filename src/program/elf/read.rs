//! ELF → Program.

use std::sync::Arc;

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};

use super::super::Program;
use super::error::ProgramFileError;
use super::layout::{CHECKSUM, CODE, CONST, E_MACHINE, FORMAT_VERSION, HOST, META, WORD_BYTES, checksum};

/// Most sections that are examined: more than a program file has, and few enough for hostile headers.
const MAX_SECTIONS: usize = 64;

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Program, ProgramFileError> {
    let sections = Sections::find(bytes)?;
    verify_checksum(bytes, &sections)?;
    let meta = serde_json::from_slice(sections.data(META)?)
        .map_err(|e| ProgramFileError::Section { section: META, reason: e.to_string() })?;
    let program = Program {
        meta,
        code: words(sections.data(CODE)?)?,
        constants: sections.data(CONST)?.into(),
        host_models: host_models(sections.data(HOST)?)?,
    };
    program.validate()?;
    Ok(program)
}

/// The sections of a file whose header is that of an RCN program.
struct Sections<'a> {
    /// Name, offset in the file, content.
    found: Vec<(&'a [u8], u64, &'a [u8])>,
}

impl<'a> Sections<'a> {
    fn find(bytes: &'a [u8]) -> Result<Sections<'a>, ProgramFileError> {
        let elf = |e: object::read::Error| ProgramFileError::Elf { reason: e.to_string() };
        let odd = |reason: &str| ProgramFileError::Elf { reason: reason.into() };
        let header = FileHeader64::<Endianness>::parse(bytes).map_err(elf)?;
        let endian = header.endian().map_err(elf)?;
        if endian != Endianness::Little {
            return Err(odd("big-endian; RCN programs are little-endian"));
        }
        let machine = header.e_machine(endian).0;
        if machine != E_MACHINE {
            return Err(ProgramFileError::ForeignMachine { found: machine });
        }
        let version = header.e_flags(endian).0;
        if version != FORMAT_VERSION {
            return Err(ProgramFileError::FormatVersion { found: version });
        }
        let table = header.sections(endian, bytes).map_err(elf)?;
        if table.len() > MAX_SECTIONS {
            return Err(odd("more than 64 sections"));
        }
        let mut found = Vec::with_capacity(table.len());
        for section in table.iter().skip(1) {
            let name = table.section_name(endian, section).map_err(elf)?;
            if section.sh_type(endian) == elf::SHT_NOBITS {
                return Err(odd("a section without content"));
            }
            found.push((name, section.sh_offset(endian), section.data(endian, bytes).map_err(elf)?));
        }
        Ok(Sections { found })
    }

    fn one(&self, name: &'static str) -> Result<(u64, &'a [u8]), ProgramFileError> {
        let refused = |reason: &str| ProgramFileError::Section { section: name, reason: reason.into() };
        let mut all = self.found.iter().filter(|(n, _, _)| *n == name.as_bytes());
        match (all.next(), all.next()) {
            (Some((_, offset, data)), None) => Ok((*offset, data)),
            (None, _) => Err(refused("missing")),
            (Some(_), Some(_)) => Err(refused("there twice")),
        }
    }

    fn data(&self, name: &'static str) -> Result<&'a [u8], ProgramFileError> {
        self.one(name).map(|(_, data)| data)
    }
}

fn verify_checksum(bytes: &[u8], sections: &Sections<'_>) -> Result<(), ProgramFileError> {
    let refused = |reason: &str| ProgramFileError::Section { section: CHECKSUM, reason: reason.into() };
    let (offset, data) = sections.one(CHECKSUM)?;
    let stored = <[u8; 8]>::try_from(data).map_err(|_| refused("must have 8 bytes"))?;
    let stored = u64::from_le_bytes(stored);
    let field = usize::try_from(offset).map_err(|_| refused("lies outside the file"))?;
    let computed = checksum(bytes, field).ok_or_else(|| refused("lies outside the file"))?;
    if stored == computed { Ok(()) } else { Err(ProgramFileError::Checksum { stored, computed }) }
}

fn words(data: &[u8]) -> Result<Vec<u128>, ProgramFileError> {
    let (chunks, rest) = data.as_chunks::<WORD_BYTES>();
    if !rest.is_empty() {
        let reason = format!("{} bytes are not a whole number of {WORD_BYTES}-byte words", data.len());
        return Err(ProgramFileError::Section { section: CODE, reason });
    }
    Ok(chunks.iter().map(|word| u128::from_le_bytes(*word)).collect())
}

fn host_models(data: &[u8]) -> Result<Vec<Arc<[u8]>>, ProgramFileError> {
    let refused = |reason: String| ProgramFileError::Section { section: HOST, reason };
    let (count, mut rest) =
        data.split_first_chunk::<4>().ok_or_else(|| refused("shorter than its count".into()))?;
    let count = u32::from_le_bytes(*count);
    let mut models = Vec::new();
    for index in 0..count {
        let (length, tail) = rest
            .split_first_chunk::<8>()
            .ok_or_else(|| refused(format!("ends before model {index} of {count}")))?;
        let length = u64::from_le_bytes(*length);
        let (model, tail) = usize::try_from(length)
            .ok()
            .and_then(|n| tail.split_at_checked(n))
            .ok_or_else(|| refused(format!("model {index} wants {length} bytes, {} are left", tail.len())))?;
        models.push(Arc::from(model));
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(refused(format!("{} bytes after the last model", rest.len())));
    }
    Ok(models)
}
