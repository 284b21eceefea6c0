//! The integration tests, one binary: linking once is cheaper than twenty times.

mod codegen;
