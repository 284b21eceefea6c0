//! Exceptions with the messages of the command line.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use rcar_iss::error::Explanation;

create_exception!(
    rcar_iss,
    RcarIssError,
    PyException,
    "What rcar-iss refuses: `what`, `why` and `help` are its words, `status` the exit status of the command line."
);
create_exception!(rcar_iss, UsageError, RcarIssError, "Something was asked for that cannot be (status 2).");
create_exception!(rcar_iss, InvalidInput, RcarIssError, "A file or an array that cannot be used (status 3).");
create_exception!(rcar_iss, UnsupportedModel, RcarIssError, "A model that cannot be compiled (status 4).");
create_exception!(rcar_iss, IllegalProgram, RcarIssError, "The program did something illegal (status 5).");

/// The exception for an error of the library.
pub(crate) fn raised(error: impl Into<Explanation>) -> PyErr {
    let words: Explanation = error.into();
    let text = words.render();
    let text = text.trim_end().strip_prefix("error: ").unwrap_or(&text).to_string();
    let raised = match words.status {
        2 => UsageError::new_err(text),
        3 => InvalidInput::new_err(text),
        4 => UnsupportedModel::new_err(text),
        5 => IllegalProgram::new_err(text),
        _ => RcarIssError::new_err(text),
    };
    Python::attach(|py| {
        let value = raised.value(py);
        let all = [("what", Some(words.what())), ("why", words.reason()), ("help", words.advice())];
        let set = all.iter().try_for_each(|(name, text)| value.setattr(*name, *text));
        // Attributes of our own exception can always be set; otherwise its text would still be complete.
        let _ = set.and_then(|()| value.setattr("status", words.status));
    });
    raised
}

/// The exception for an invalid request.
pub(crate) fn usage(what: String) -> PyErr {
    raised(Explanation::usage(what))
}
