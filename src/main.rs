//! The command line of `rcar-iss`; everything is in [`rcar_iss::cli`].

fn main() -> std::process::ExitCode {
    rcar_iss::cli::main()
}
