//! Which of the files given are read from standard input: at most one, as it can be read only once.

use std::ffi::OsStr;

use super::{CalibrationArgs, Command, ReferenceArgs};

/// The files that a command reads, as they were given.
#[derive(Default)]
struct Reads<'a>(Vec<&'a OsStr>);

impl<'a> Reads<'a> {
    fn file(mut self, path: &'a std::path::Path) -> Self {
        self.0.push(path.as_os_str());
        self
    }

    fn maybe(mut self, path: Option<&'a std::path::PathBuf>) -> Self {
        self.0.extend(path.map(|p| p.as_os_str()));
        self
    }

    /// Files with or without `NAME=` before them, and machines.
    fn named(mut self, options: impl IntoIterator<Item = &'a String>) -> Self {
        self.0.extend(options.into_iter().map(OsStr::new));
        self
    }

    fn reference(self, args: &'a ReferenceArgs) -> Self {
        self.file(&args.reference).maybe(args.map.as_ref())
    }

    fn calibration(self, args: &'a CalibrationArgs) -> Self {
        self.named(&args.calib).maybe(args.statistics.as_ref()).maybe(args.config.as_ref())
    }

    /// How many of them are standard input.
    fn stdin(&self) -> usize {
        let stdin = |typed: &&&OsStr| ***typed == *"-" || typed.as_encoded_bytes().ends_with(b"=-");
        self.0.iter().filter(stdin).count()
    }
}

impl Command {
    /// How many of the command's files are read from standard input.
    pub(in crate::cli) fn stdin_files(&self) -> usize {
        let none = Reads::default();
        let reads = match self {
            Command::Check(a) => none.file(&a.file).named(&a.model.machine),
            Command::Compile(a) => none.file(&a.model_file).named(&a.model.machine),
            Command::Run(a) => {
                none.file(&a.file).named(&a.model.machine).named(&a.input).maybe(a.classes.as_ref())
            }
            Command::Trace(a) => none.file(&a.file),
            Command::Diff(a) => none.file(&a.a).file(&a.b).named(&a.machine),
            Command::Estimate(a) => none.file(&a.file).named(&a.machine),
            Command::Bench(a) => none.file(&a.file).named(&a.model.machine).named(&a.input),
            Command::Asm(a) => none.file(&a.source),
            Command::Disasm(a) => none.file(&a.program),
            Command::Info(a) => none.maybe(a.program.as_ref()).named(&a.machine),
            Command::Compare(a) => {
                let s = &a.sides;
                none.file(&a.file).named(&s.model.machine).reference(&s.reference).named(&s.input)
            }
            Command::Diagnose(a) => {
                let s = &a.sides;
                let sides = none.file(&a.model_file).named(&s.model.machine).reference(&s.reference);
                sides.named(&s.input).named(&a.calib).maybe(a.thresholds.as_ref())
            }
            Command::Dequantize(a) => none.file(&a.path).maybe(a.program.as_ref()),
            Command::Quantize(a) => none.file(&a.model_file).calibration(&a.how),
            Command::Tune(a) => {
                let own = none.file(&a.model_file).calibration(&a.how).named(&a.input);
                own.maybe(a.labels.as_ref()).named([&a.machine])
            }
            Command::Completions(_) | Command::Man(_) => none,
        };
        reads.stdin()
    }
}
