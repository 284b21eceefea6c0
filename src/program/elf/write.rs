//! Program → ELF.

use object::Endianness;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Writer};

use super::super::Program;
use super::error::ProgramFileError;
use super::layout::{CHECKSUM, CODE, CONST, E_MACHINE, FORMAT_VERSION, HOST, META, WORD_BYTES, checksum};

/// A section to write: name, content, alignment, flags, entry size.
struct Part {
    name: &'static str,
    data: Vec<u8>,
    align: u64,
    flags: elf::SectionFlags,
    entry_bytes: u64,
}

pub(super) fn to_bytes(program: &Program) -> Result<Vec<u8>, ProgramFileError> {
    program.validate()?;
    let parts = parts(program)?;
    layout(&parts).map_err(|e| ProgramFileError::Elf { reason: e.to_string() })
}

fn parts(program: &Program) -> Result<Vec<Part>, ProgramFileError> {
    let none = elf::SectionFlags(0);
    let mut code = Vec::with_capacity(program.code.len() * WORD_BYTES);
    for word in &program.code {
        code.extend_from_slice(&word.to_le_bytes());
    }
    Ok(vec![
        Part { name: CODE, data: code, align: 16, flags: elf::SHF_EXECINSTR, entry_bytes: WORD_BYTES as u64 },
        Part {
            name: CONST,
            data: program.constants.to_vec(),
            align: 4096,
            flags: elf::SHF_ALLOC,
            entry_bytes: 0,
        },
        Part { name: META, data: meta(program)?, align: 1, flags: none, entry_bytes: 0 },
        Part { name: HOST, data: host_models(program), align: 8, flags: none, entry_bytes: 0 },
        Part { name: CHECKSUM, data: vec![0; 8], align: 8, flags: none, entry_bytes: 0 },
    ])
}

/// The tables as JSON, after checking that they read back unchanged (JSON has no infinities).
fn meta(program: &Program) -> Result<Vec<u8>, ProgramFileError> {
    let refused = |reason: String| ProgramFileError::Section { section: META, reason };
    let json = serde_json::to_vec(&program.meta).map_err(|e| refused(e.to_string()))?;
    let back: super::super::Meta = serde_json::from_slice(&json).map_err(|e| refused(e.to_string()))?;
    if back != program.meta {
        return Err(refused("holds a number that a file cannot express (not finite)".into()));
    }
    Ok(json)
}

fn host_models(program: &Program) -> Vec<u8> {
    // At most as many as host layers, whose number `check` bounds.
    let count = u32::try_from(program.host_models.len()).unwrap_or(u32::MAX);
    let mut data = count.to_le_bytes().to_vec();
    for model in &program.host_models {
        data.extend_from_slice(&(model.len() as u64).to_le_bytes());
        data.extend_from_slice(model);
    }
    data
}

fn layout(parts: &[Part]) -> Result<Vec<u8>, object::write::Error> {
    let constants = parts.iter().find(|p| p.name == CONST && !p.data.is_empty());
    let mut out = Vec::new();
    let mut w = Writer::new(Endianness::Little, true, &mut out);

    w.reserve_file_header();
    w.reserve_program_headers(u32::from(constants.is_some()));
    let names: Vec<_> = parts.iter().map(|p| w.add_section_name(p.name.as_bytes())).collect();
    let mut offsets = Vec::with_capacity(parts.len());
    for part in parts {
        w.reserve_section_index();
        offsets.push(w.reserve(part.data.len() as u64, part.align));
    }
    w.reserve_shstrtab_section_index();
    w.reserve_shstrtab()?;
    w.reserve_section_headers();

    w.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::Machine(E_MACHINE),
        e_entry: 0,
        e_flags: elf::FileFlags(FORMAT_VERSION),
    })?;
    if let Some((part, offset)) =
        parts.iter().zip(&offsets).find(|(p, _)| p.name == CONST && !p.data.is_empty())
    {
        w.write_align_program_headers();
        w.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::PF_R,
            p_offset: *offset,
            p_vaddr: 0,
            p_paddr: 0,
            p_filesz: part.data.len() as u64,
            p_memsz: part.data.len() as u64,
            p_align: part.align,
        });
    }
    for (part, offset) in parts.iter().zip(&offsets) {
        w.pad_until(*offset);
        w.write(&part.data);
    }
    w.write_shstrtab();
    w.write_null_section_header();
    for ((part, offset), name) in parts.iter().zip(&offsets).zip(names) {
        let header = SectionHeader {
            sh_name: w.section_name_offset(Some(name)),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: part.flags,
            sh_addr: 0,
            sh_offset: *offset,
            sh_size: part.data.len() as u64,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: part.align,
            sh_entsize: part.entry_bytes,
        };
        w.write_section_header(&header);
    }
    w.write_shstrtab_section_header();

    let field = parts.iter().zip(&offsets).find(|(p, _)| p.name == CHECKSUM).map_or(0, |(_, o)| *o as usize);
    if let Some(sum) = checksum(&out, field)
        && let Some(place) = out.get_mut(field..field + 8)
    {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    Ok(out)
}
