//! The constant segment.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::pages::Block;

/// The constant segment, in pages of its own: engines read weights in place. Clones share it.
#[derive(Clone)]
pub struct Constants(Arc<Block>);

impl Constants {
    /// `len` zero bytes but for some parts, each with the address of its first byte. The others take no
    /// memory. Parts that lie beyond are left out.
    #[must_use]
    pub fn sparse(len: usize, parts: &[(usize, Vec<u8>)]) -> Constants {
        let mut block = Block::zeros(len);
        for (at, part) in parts {
            if let Some(to) = block.get_mut(*at..at + part.len()) {
                to.copy_from_slice(part);
            }
        }
        Constants(Arc::new(block))
    }
}

impl Deref for Constants {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Default for Constants {
    fn default() -> Constants {
        Constants::from(&[][..])
    }
}

impl From<&[u8]> for Constants {
    fn from(bytes: &[u8]) -> Constants {
        Constants(Arc::new(Block::from(bytes)))
    }
}

impl From<Vec<u8>> for Constants {
    fn from(bytes: Vec<u8>) -> Constants {
        Constants::from(&*bytes)
    }
}

impl PartialEq for Constants {
    fn eq(&self, other: &Constants) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
