//! ELF container.
