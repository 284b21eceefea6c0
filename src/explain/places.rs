//! Messages on output files that cannot be written where they are asked for.

use super::Failure;
use crate::files::PlaceError;

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Failure {
        const OTHER: &str = "choose another place; nothing was written";
        match &error {
            PlaceError::Stdout { .. } => Failure::usage(error.to_string()),
            PlaceError::NoFolder { path } => Failure::file(path, &"it is a file, a folder is needed"),
            PlaceError::Irregular { option, path } => {
                Failure::usage(format!("{option} {}", path.display())).why(&error)
            }
            PlaceError::Current { option, path }
            | PlaceError::Inside { option, path, .. }
            | PlaceError::Read { option, path, .. } => {
                Failure::usage(format!("{option} {}", path.display())).why(&error).help(OTHER)
            }
            PlaceError::Same { options: [a, b], .. } => {
                Failure::usage(format!("{a} and {b} name the same file"))
                    .why(&error)
                    .help("give each output a name of its own")
            }
            PlaceError::StdoutRead { .. } => {
                Failure::usage("standard output").why(&error).help("send it to another file")
            }
            PlaceError::File(_) => match error {
                PlaceError::File(file) => file.into(),
                other => Failure::usage(other.to_string()),
            },
        }
    }
}
