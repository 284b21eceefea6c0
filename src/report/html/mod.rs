//! A [comparison](crate::analysis::Comparison) and a [profile](crate::profile::Profile) as one self-contained
//! HTML file. The page holds the figures and a compact extract of every tensor; its script draws the graph
//! once and the plots of one layer at a time.

mod data;
mod layout;
mod page;

pub use page::{PageError, page};
