#![no_main]

rcar_iss_fuzz::target!("program");
