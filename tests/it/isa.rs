//! Laws of the instruction set, over instructions made from the table.

use proptest::prelude::*;
use rcar_iss::internals::isa::operand::Class;
use rcar_iss::internals::isa::{Cond, DecodeError, Insn, Opcode, Queue, Wait, asm, disasm};
use rcar_iss::internals::program::{MachineId, Meta, Program, text};

/// Bits of a field's values that mean something, from random ones.
fn legal(class: Class, width: u32, random: u64) -> u64 {
    match class {
        Class::Enum(values) => values[random as usize % values.len()].1.into(),
        // One flag at most: some exclude each other.
        Class::Flags(values) => {
            values.get(random as usize % (values.len() + 1)).map_or(0, |(_, bit)| 1 << bit)
        }
        _ => random & (u64::MAX >> (64 - width)),
    }
}

fn wait() -> impl Strategy<Value = Wait> {
    let cond = || (0..4_u8, any::<u8>()).prop_map(|(q, back)| Cond { queue: Queue::new(q).unwrap(), back });
    prop_oneof![
        Just(Wait::NONE),
        cond().prop_map(|c| Wait([Some(c), None])),
        (cond(), cond()).prop_map(|(a, b)| Wait([Some(a), Some(b)])),
    ]
}

/// Any instruction.
pub(crate) fn insn() -> impl Strategy<Value = Insn> {
    let opcode = prop::sample::select(Opcode::ALL.to_vec());
    (opcode, prop::collection::vec(any::<u64>(), 12), wait()).prop_map(|(opcode, random, wait)| {
        let info = opcode.info();
        let mut word = u128::from(info.opcode);
        for (field, random) in info.fields.iter().zip(random) {
            word |= u128::from(legal(field.class, field.width, random)) << field.lo;
        }
        let insn = Insn::decode(word).unwrap();
        if info.queued() { insn.with_wait(wait).unwrap() } else { insn }
    })
}

/// Bits that an instruction's fields cover.
fn covered(opcode: Opcode) -> u128 {
    let info = opcode.info();
    let mut mask = 0xff;
    for f in info.fields {
        mask |= ((1_u128 << f.width) - 1) << f.lo;
    }
    if info.queued() { mask | ((1 << 30) - (1 << 8)) } else { mask }
}

proptest! {
    #![proptest_config(crate::settings::cases(2000))]

    #[test]
    fn decode_is_the_inverse_of_encode(insn in insn()) {
        prop_assert_eq!(Insn::decode(insn.encode()), Ok(insn));
    }

    #[test]
    fn assembly_text_reads_back(insn in insn()) {
        let text = disasm::disassemble(&insn);
        let (rest, parsed) = asm::parse(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert_eq!(rest, "");
        prop_assert_eq!(parsed.resolve(0, &|_| None), Ok(insn), "{}", text);
    }

    #[test]
    fn a_reserved_bit_is_refused(insn in insn(), bit in 8..128_u32) {
        let mask = covered(insn.opcode());
        prop_assume!(mask >> bit & 1 == 0);
        let error = Insn::decode(insn.encode() | 1 << bit).unwrap_err();
        let names_it = matches!(error, DecodeError::Reserved { bits, .. } if bits == 1 << bit);
        prop_assert!(names_it, "{}", error);
    }

    #[test]
    fn a_word_that_decodes_is_the_only_one(word in any::<u128>(), opcode in prop::sample::select(Opcode::ALL.to_vec())) {
        let word = word & covered(opcode) & !0xff | u128::from(opcode.info().opcode);
        match Insn::decode(word) {
            Ok(insn) => prop_assert_eq!(insn.encode(), word),
            Err(e) => prop_assert!(e.to_string().contains(opcode.info().mnemonic), "{}", e),
        }
    }

    #[test]
    fn any_text_is_an_instruction_or_an_error(text in "[ -~]{0,60}") {
        let _ = asm::parse(&text);
        let _ = text::assemble(&text);
    }

    #[test]
    fn programs_read_back_from_text(
        code in prop::collection::vec(prop_oneof![9 => insn().prop_map(|i| i.encode()), 1 => any::<u128>()], 0..40),
        constants in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..300),
        zeros in 0..200_usize,
    ) {
        let mut constants = constants;
        constants.extend(std::iter::repeat_n(0, zeros));
        let meta = Meta {
            name: "a \"b\"; c".into(),
            isa_version: 1,
            machine: MachineId { name: "rcn-m".into(), hash: "x".into() },
            dram_bytes: 1 << 20,
            ..Meta::default()
        };
        let program = Program { meta, code, constants: constants.into(), host_models: vec![] };
        let text = text::disassemble(&program);
        let again = text::assemble(&text).map_err(|e| TestCaseError::fail(e.render(&text, "text")))?;
        prop_assert_eq!(again, program);
    }
}

#[test]
fn every_operation_code_is_known_or_refused() {
    for opcode in 0..=255_u8 {
        let known = Opcode::ALL.into_iter().any(|o| o.info().opcode == opcode);
        let error = Insn::decode(opcode.into()).err();
        assert_eq!(known, error != Some(DecodeError::Opcode { opcode }), "{opcode:#x}");
    }
}

#[test]
fn illegal_values_are_refused_with_the_field() {
    for opcode in Opcode::ALL {
        let info = opcode.info();
        for field in info.fields {
            let Class::Enum(values) = field.class else { continue };
            for value in 0..1_u32 << field.width {
                let legal = values.iter().any(|(_, v)| *v == value);
                let result = Insn::decode(u128::from(info.opcode) | u128::from(value) << field.lo);
                assert_eq!(legal, result.is_ok(), "{} {} = {value}: {result:?}", info.mnemonic, field.name);
            }
        }
    }
}

#[test]
fn the_text_of_a_whole_program_reads_back() {
    for program in [crate::elf::sample(), Program::default()] {
        let text = text::disassemble(&program);
        assert_eq!(text::assemble(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, "text"))), program);
    }
}

/// Asserts position and text of an error.
#[track_caller]
fn refused(source: &str, line: usize, column: usize, says: &str) {
    let errors = text::assemble(source).expect_err("it should not assemble");
    let e = &errors.0[0];
    assert_eq!((e.line, e.column), (line, column), "{}", errors.render(source, "x.s"));
    assert!(e.message.contains(says), "{}\nlacks: {says}", e.message);
}

#[test]
fn assembly_errors_name_line_and_column() {
    refused("  halt\n  jal x0, nowhere", 2, 11, "nothing is named \"nowhere\"");
    refused(".code\na:\na:\n", 3, 1, "defined twice");
    refused("  add x1, x2", 1, 13, "`,` is expected");
    refused(".u8 1", 1, 1, "behind .const only");
    refused(".const\n.u8 256", 2, 5, "256 is outside 0 … 255");
    refused(".const\n.hex 123", 2, 9, "even number");
    refused(".const\nd: .tdesc spm u9 0 [1,1,1,1]", 2, 15, "element type");
    refused(".const\nd: .tdesc spm u8 0 [1,1,1]", 2, 20, "four numbers");
    refused(".const\n.zero 9999999999", 2, 7, "outside");
    refused(".layer {\"name\": 3}", 1, 17, "JSON");
    refused(".machine rcn-x", 1, 10, "not shipped");
    refused(".frob 1", 1, 1, "no directive \".frob\"");
    refused(".const\nx: .u8 1\n.code\n jal x0, x", 4, 10, "an address, not a place in the code");
    refused("ä", 1, 1, "an instruction, a label or a directive");
}

#[test]
fn several_errors_are_reported_together() {
    let source = "  foo\n  halt\n  bar\n";
    let errors = text::assemble(source).unwrap_err();
    assert_eq!(errors.0.iter().map(|e| e.line).collect::<Vec<_>>(), [1, 3]);
    insta::assert_snapshot!(errors.render(source, "two.s"), @r#"
    error: there is no instruction "foo"; isa/MANUAL.md lists them
     --> two.s:1:3
      |
    1 |   foo
      |   ^^^
    error: there is no instruction "bar"; isa/MANUAL.md lists them
     --> two.s:3:3
      |
    3 |   bar
      |   ^^^
    "#);
}
