//! The command line of `rcar-iss`; everything is in [`rcar_iss::internals::cli`].

fn main() -> std::process::ExitCode {
    rcar_iss::internals::cli::main()
}
