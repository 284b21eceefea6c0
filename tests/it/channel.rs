//! What share of its rate the DRAM channel of the shipped machines gives to streams and to scattered pieces.

use std::sync::Arc;

use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::text::assemble;
use rcar_iss::internals::sim::{Limits, Loaded};

/// Percent of the rate that `dma.in` reaches with boxes of `rows` pieces of `bytes` bytes, `stride` bytes
/// apart, while they pass, refreshes included.
fn share(machine: &Machine, [rows, bytes, stride]: [u64; 3]) -> f64 {
    let trips = 64;
    let total = rows * stride * trips;
    let text = format!(
        ".layer {{\"name\": \"loads\", \"kind\": \"move\", \"macs\": 0}}
.buffer x, {total}
.buffer y, 64
.tensor x input u8 [1, {total}] at x
.tensor y output u8 [64] at y layer 0

.const
source: .tdesc dram u8 x [1, 1, {rows}, {bytes}] [{stride}, {stride}, {stride}, 1]
target: .tdesc spm u8 0 [1, 1, {rows}, {bytes}]
result: .tdesc dram u8 y [1, 1, 1, 64]
part:   .tdesc spm u8 0 [1, 1, 1, 64]

.code
.in 0
  layer.begin 0
  tdesc.load t0, target(x0)
  tdesc.load t1, source(x0)
  tdesc.load t2, result(x0)
  tdesc.load t3, part(x0)
  li x1, {trips}
  li x2, {step}
again:
  dma.in t0, t1
  tdesc.add t1.base, x2
  addi x1, x1, -1
  bne x1, x0, again
  dma.out t2, t3 wait(dmain)
  layer.end 0
.in none
  halt
",
        step = rows * stride,
    );
    let mut program = assemble(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    program.meta.machine.name.clone_from(&machine.name);
    program.meta.machine.hash = format!("{:016x}", machine.hash());
    let loaded = Loaded::new(Arc::new(program), machine, Limits::default()).unwrap();
    let timeline = loaded.timeline().unwrap();
    let ends: Vec<u64> = timeline.iter().filter(|t| t.queue.index() == 0).map(|t| t.end).collect();
    // From the end of the first transfer on the channel never waits for a request.
    let cycles = ends.last().unwrap() - ends[0];
    100.0 * ((trips - 1) * rows * bytes * 1000) as f64 / (cycles * machine.dram.rate()) as f64
}

#[test]
fn streams_reach_most_of_the_rate_and_scattered_pieces_do_not() {
    for name in Machine::names() {
        let machine = Machine::named(name).unwrap();
        let stream = share(&machine, [16, 2048, 2048]);
        assert!((80.0..92.0).contains(&stream), "{name}: a stream reaches {stream:.1} % of the rate");
        // In other rows of one bank.
        let stride = u64::from(machine.dram.row_bytes * machine.dram.banks);
        let scattered = share(&machine, [16, 512, stride]);
        assert!(scattered < 75.0, "{name}: pieces of 512 bytes reach {scattered:.1} %");
        println!("{name}: stream {stream:.1} %, pieces of 512 bytes in one bank {scattered:.1} %");
    }
    let machine = Machine::named("rcn-m").unwrap();
    let scattered = share(&machine, [16, 512, 5 * 2048]);
    assert!(scattered < 60.0, "pieces of 512 bytes in different banks reach {scattered:.1} %");
}

#[test]
fn other_masters_take_their_share() {
    let text = include_str!("../../isa/machines/rcn-m.toml");
    let shared = text.replace("other_masters_percent = 0", "other_masters_percent = 25");
    let [alone, beside] = [text, &shared].map(|t| Machine::parse(t).unwrap());
    assert_eq!(beside.dram.rate() * 4, alone.dram.rate() * 3);
    let fraction = text.replace("bytes_per_cycle = 32 ", "bytes_per_cycle = 17.064 ");
    assert_eq!(Machine::parse(&fraction).unwrap().dram.rate(), 17_064);
    for (wrong, what) in [("17.0641", "three decimals"), ("-1", "negative"), ("0.0", "at least 0.001")] {
        let text = text.replace("bytes_per_cycle = 32 ", &format!("bytes_per_cycle = {wrong} "));
        let refused = Machine::parse(&text).unwrap_err().to_string();
        assert!(refused.contains(what), "{refused}");
    }
}
