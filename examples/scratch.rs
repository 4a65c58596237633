#[path = "../benches/workloads/mod.rs"]
mod suite;
use kleene::Record;
use kleene::event::{BatchBuilder, EventBatch};
use kleene::stream::Ignore;
fn main() {
    let id = std::env::args().nth(1).unwrap();
    let how = std::env::args().nth(2).unwrap();
    let n: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let w = suite::WORKLOADS.iter().find(|w| w.id == id).unwrap();
    let rules = w.rule_set(1);
    let events = w.generate(rules.schema(), 500_000, 1);
    let mut b = BatchBuilder::new();
    let batches: Vec<EventBatch> = events
        .chunks(8192)
        .map(|some| {
            some.iter().for_each(|e| b.copy_record(rules.schema(), e));
            b.finish()
        })
        .collect();
    let mut best = f64::MAX;
    for _ in 0..n {
        let t = std::time::Instant::now();
        let mut engine = w.engine(&rules);
        match how.as_str() {
            "r" => engine.push_batch(&events, &mut Ignore).unwrap(),
            "c" => {
                for b in &batches {
                    engine.push_columns(b, &mut Ignore).unwrap()
                }
            }
            _ => {
                for b in &batches {
                    let r: Vec<Record> = b.rows().map(|r| r.to_record()).collect();
                    engine.push_batch(&r, &mut Ignore).unwrap()
                }
            }
        }
        engine.end_time(&mut Ignore).unwrap();
        drop(engine);
        best = best.min(t.elapsed().as_nanos() as f64 / events.len() as f64);
    }
    print!("{id} {how} {best:.1}  ");
}
