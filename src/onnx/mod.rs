//! (module head follows)
