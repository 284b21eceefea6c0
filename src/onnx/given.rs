//! Parsing of extents: `NAME=1x3x224x224`, `NAME=320`.

/// A text that is not an extent or a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// Not the shape of an input.
    #[error("{text:?} is no shape like NAME=1x3x224x224")]
    NoShape {
        /// As given.
        text: String,
    },
    /// A shape without elements.
    #[error("{text:?}: an extent is at least 1")]
    Nothing {
        /// As given.
        text: String,
    },
    /// Not a number for an extent.
    #[error("{text:?} is no extent like NAME=320, at least 1")]
    NoExtent {
        /// As given.
        text: String,
    },
}

/// The shape of an input, by its name, as [`ImportOptions::shapes`](super::ImportOptions::shapes) has it:
/// `NAME=1x3x224x224`, or with commas.
///
/// # Errors
/// It is not a shape, or has no elements.
pub fn given_shape(text: &str) -> Result<(String, Vec<usize>), GivenError> {
    let parsed = text.rsplit_once('=').and_then(|(name, dims)| {
        let dims: Option<Vec<usize>> = dims.split(['x', ',']).map(|d| d.trim().parse().ok()).collect();
        Some((name.to_string(), dims?))
    });
    match parsed {
        None => Err(GivenError::NoShape { text: text.into() }),
        Some((_, dims)) if dims.contains(&0) => Err(GivenError::Nothing { text: text.into() }),
        Some(given) => Ok(given),
    }
}

/// The number for an extent that a model names, as [`ImportOptions::symbols`](super::ImportOptions::symbols)
/// has it: `NAME=320`.
///
/// # Errors
/// It is not an extent, or not at least 1.
pub fn given_extent(text: &str) -> Result<(String, usize), GivenError> {
    let parsed = text.rsplit_once('=').and_then(|(name, n)| Some((name.to_string(), n.trim().parse().ok()?)));
    parsed.filter(|(_, n)| *n > 0).ok_or_else(|| GivenError::NoExtent { text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_equals_signs_and_extents_spaces() {
        assert_eq!(given_shape("a=b=1x3, 4").unwrap(), ("a=b".into(), vec![1, 3, 4]));
        assert_eq!(given_extent("height= 320").unwrap(), ("height".into(), 320));
        assert_eq!(given_shape("x=1x0"), Err(GivenError::Nothing { text: "x=1x0".into() }));
        for text in ["x", "x=", "x=1x", "x=-1", "x=1x3xheight"] {
            assert_eq!(given_shape(text), Err(GivenError::NoShape { text: text.into() }), "{text}");
        }
        for text in ["x", "x=", "x=0", "x=-1", "x=1x3"] {
            assert_eq!(given_extent(text), Err(GivenError::NoExtent { text: text.into() }), "{text}");
        }
    }
}
